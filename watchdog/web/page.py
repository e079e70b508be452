"""The page's routes: each reads, renders, and answers with the same strict headers."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from watchdog.engine.ports import LedgerUnavailable
from watchdog.web.rows import Asked
from watchdog.web.turns import Busy, Turns
from watchdog.web.view import (
    BUSY,
    BUSY_HEADERS,
    FRESH_HEADERS,
    HEADERS,
    View,
    is_possible_id,
)

if TYPE_CHECKING:
    from watchdog.web.render import Renderer

_FILE_HEADERS = HEADERS | {"Cache-Control": "public, max-age=31536000, immutable"}
"""A changed file has another address: its hash is in the query."""

_FILES = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    media_type: str

    @property
    def mark(self) -> str:
        return hashlib.sha256(self.body).hexdigest()[:12]


class Page:
    """Read-only: it answers GET and HEAD."""

    def __init__(self, view: View, turns: Turns) -> None:
        self._view = view
        folder = files("watchdog.web") / "static"
        self._files = {
            name: _File((folder / name).read_bytes(), media_type)
            for name, media_type in _FILES.items()
        }
        self._turns = turns

    @cached_property
    def _renderer(self) -> "Renderer":
        # Imported for the first page, which then takes 0.1 s longer: most daemons show none, and
        # Jinja takes 2 MB. Its templates are read for the first page as well, so this needs no file
        # that the page would not need.
        from watchdog.web.render import Renderer

        marks = {name: file.mark for name, file in self._files.items()}
        return Renderer(self._view.about, marks)

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/", self._fleet),
            Route("/targets/{model_id}", self._target),
            Route("/static/{name}", self._file),
        ]

    async def _fleet(self, request: Request) -> Response:
        view, query = self._view, request.query_params
        asked = Asked.of(lambda name: query.get(name, ""))

        async def make() -> Response:
            # Not in a turn: the view itself bounds how often it reads, and no rest follows.
            seen = await view.fleet()
            return await self._turns.take(
                lambda: _html(
                    lambda: self._renderer.fleet(seen, asked, view.settings, view.condition)
                )
            )

        return await self._answer(make, root=".")

    async def _target(self, request: Request) -> Response:
        model_id: str = request.path_params["model_id"]

        async def make() -> Response:
            past = await self._view.past(model_id) if is_possible_id(model_id) else None
            if past is None:
                return await _html(lambda: self._renderer.unknown(model_id), status=404)
            return await _html(lambda: self._renderer.target(past, self._view.settings.app_url))

        return await self._answer(lambda: self._turns.take(make), root="..")

    async def _file(self, request: Request) -> Response:
        file = self._files.get(request.path_params["name"])
        if file is None:
            return Response(status_code=404, headers=FRESH_HEADERS)
        return Response(file.body, media_type=file.media_type, headers=_FILE_HEADERS)

    async def _answer(self, make: Callable[[], Awaitable[Response]], *, root: str) -> Response:
        try:
            with self._turns.place():
                return await make()
        except Busy:
            return PlainTextResponse(f"{BUSY}\n", status_code=503, headers=BUSY_HEADERS)
        except LedgerUnavailable:
            view = self._view
            return await _html(
                lambda: self._renderer.away(root, view.settings, view.condition), status=503
            )


async def _html(render: Callable[[], str], *, status: int = 200) -> Response:
    """Render in a thread: it may take some tens of milliseconds, and the first time more."""
    text = await asyncio.to_thread(render)
    return HTMLResponse(text, status_code=status, headers=FRESH_HEADERS)
