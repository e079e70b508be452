"""An API that is not a bottleneck: a minimal protocol that answers a deployment with prepared
bytes.

Models whose id begins with `hang` are never answered. `PUT /_bench/fail/ID` sets a deployment to
BUILD_FAILED. `GET /_bench/log` reports when that was and when each request came, by the clock that
all processes of a machine share.
"""

import argparse
import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from functools import cache

from watchdog.emulator import bodies
from watchdog.emulator.values import Deployment

_LOG = "/_bench/log"
_FAIL = "/_bench/fail/"
CREATED_AT = datetime(2026, 1, 1, tzinfo=UTC)


class Site:
    """What all connections share: which models fail, and the log of what happened."""

    def __init__(self, latency_seconds: float, *, log: bool) -> None:
        self.latency_seconds = latency_seconds
        self.log: list[tuple[float, str, str]] | None = [] if log else None
        self._failing: set[str] = set()

    def answer(self, method: str, path: str) -> bytes | None:
        """The whole answer; None means that no answer is sent."""
        if path == _LOG:
            return _reply(json.dumps(self.log or []).encode())
        if path.startswith(_FAIL):
            model_id = path.removeprefix(_FAIL)
            self._failing.add(model_id)
            self._note("FAIL", model_id)
            return _reply(b"{}")
        model_id = path.split("/", 4)[3]
        if model_id.startswith("hang"):
            return None
        if method == "POST":
            self._failing.discard(model_id)
            self._note("POST", model_id)
            return _retried(model_id)
        failing = model_id in self._failing
        self._note("FAILED" if failing else "GET", model_id)
        return _seen(model_id, "BUILD_FAILED" if failing else "ACTIVE")

    def _note(self, what: str, model_id: str) -> None:
        if self.log is not None:
            self.log.append((time.monotonic(), what, model_id))


class Connection(asyncio.Protocol):
    """Reads requests without a body, one after the other."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        while b"\r\n\r\n" in self._read:
            head, _, self._read = self._read.partition(b"\r\n\r\n")
            method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
            answer = self._site.answer(method, path)
            if answer is None:
                continue
            if self._site.latency_seconds:
                loop = asyncio.get_running_loop()
                loop.call_later(self._site.latency_seconds, self._transport.write, answer)
            else:
                self._transport.write(answer)


def _reply(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def _deployment(model_id: str, status: str) -> bodies.Body:
    return bodies.deployment(
        Deployment(id=f"d-{model_id}", model_id=model_id, created_at=CREATED_AT, status=status)
    )


@cache
def _seen(model_id: str, status: str) -> bytes:
    return _reply(json.dumps(_deployment(model_id, status)).encode())


def _retried(model_id: str) -> bytes:
    body = {"retried": True, "reason": None, "deployment": _deployment(model_id, "BUILDING")}
    return _reply(json.dumps(body).encode())


async def _serve(site: Site) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(site), "127.0.0.1", 0, backlog=1000
    )
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency-seconds", type=float, default=0)
    parser.add_argument("--log", action="store_true", help="keep a log of all requests")
    given = parser.parse_args()
    asyncio.run(_serve(Site(given.latency_seconds, log=given.log)))


if __name__ == "__main__":
    main()
