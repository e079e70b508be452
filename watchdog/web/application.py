"""What the daemon answers over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

_NO_STORE = {"Cache-Control": "no-store"}

_GZIP_LEVEL = 1
"""The usual 9 takes a scrape many times as long for little less to send."""


def build_app(
    *,
    render_metrics: Callable[[], Iterator[bytes]],
    metrics_type: str,
    alive: Callable[[], str | None],
    ready: Callable[[], tuple[str, ...]],
    more: Sequence[Route] = (),
) -> Starlette:
    """`alive` and `ready` give the reasons why not; `render_metrics` a body, in pieces between
    which the loop may do other work, and `metrics_type` its content type."""

    async def metrics(_: Request) -> Response:
        headers = _NO_STORE | {"Content-Type": metrics_type}
        return StreamingResponse(_letting_others(render_metrics()), headers=headers)

    async def healthz(_: Request) -> Response:
        reason = alive()
        return _plain((reason,) if reason else ())

    async def readyz(_: Request) -> Response:
        return _plain(ready())

    return Starlette(
        routes=[
            Route("/metrics", metrics),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            *more,
        ],
        middleware=[Middleware(GZipMiddleware, compresslevel=_GZIP_LEVEL)],
    )


async def _letting_others(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
        await asyncio.sleep(0)


def _plain(reasons: tuple[str, ...]) -> Response:
    text = "".join(f"{reason}\n" for reason in reasons) or "ok\n"
    return PlainTextResponse(text, status_code=503 if reasons else 200, headers=_NO_STORE)
