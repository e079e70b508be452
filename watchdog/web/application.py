"""What the daemon answers over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from watchdog.web.hosts import AllowedHosts
from watchdog.web.negotiation import preferred

_NO_STORE = {"Cache-Control": "no-store"}

_GZIP_LEVEL = 1
"""The usual level 9 takes many times as long for a response that is only a little smaller."""


def build_app(
    *,
    metrics: Mapping[str, Callable[[], Iterator[bytes]]],
    alive: Callable[[], str | None],
    ready: Callable[[], tuple[str, ...]],
    more: Sequence[Route] = (),
    allowed_hosts: Sequence[str] = (),
) -> Starlette:
    """`alive` and `ready` return the reasons why not; no reason means yes. `metrics` returns the
    body for each content type, the usual one first, in pieces between which the loop may do other
    work. `allowed_hosts`: see AllowedHosts."""

    async def exposition(request: Request) -> Response:
        content_type = preferred(request.headers.get("Accept", ""), tuple(metrics))
        headers = _NO_STORE | {"Content-Type": content_type, "Vary": "Accept"}
        return StreamingResponse(_letting_others(metrics[content_type]()), headers=headers)

    async def healthz(_: Request) -> Response:
        reason = alive()
        return _plain((reason,) if reason else ())

    async def readyz(_: Request) -> Response:
        return _plain(ready())

    return Starlette(
        routes=[
            Route("/metrics", exposition),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            *more,
        ],
        middleware=[
            Middleware(AllowedHosts, patterns=allowed_hosts),
            Middleware(GZipMiddleware, compresslevel=_GZIP_LEVEL),
        ],
    )


async def _letting_others(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
        await asyncio.sleep(0)


def _plain(reasons: tuple[str, ...]) -> Response:
    text = "".join(f"{reason}\n" for reason in reasons) or "ok\n"
    return PlainTextResponse(text, status_code=503 if reasons else 200, headers=_NO_STORE)
