"""What the daemon answers over HTTP."""

from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

_NO_STORE = {"Cache-Control": "no-store"}


def build_app(
    *,
    render_metrics: Callable[[], tuple[bytes, str]],
    alive: Callable[[], str | None],
    ready: Callable[[], tuple[str, ...]],
    more: Sequence[Route] = (),
) -> Starlette:
    """`alive` and `ready` give the reasons why not; `render_metrics` a body and its type."""

    async def metrics(_: Request) -> Response:
        body, content_type = render_metrics()
        return Response(body, headers=_NO_STORE | {"Content-Type": content_type})

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
        ]
    )


def _plain(reasons: tuple[str, ...]) -> Response:
    text = "".join(f"{reason}\n" for reason in reasons) or "ok\n"
    return PlainTextResponse(text, status_code=503 if reasons else 200, headers=_NO_STORE)
