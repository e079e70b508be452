"""The page's routes: each reads, renders, and answers with the same strict headers."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Protocol

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from watchdog.engine.fleet.condition import Condition
from watchdog.engine.fleet.overview import Overview, Past
from watchdog.engine.ports import LedgerUnavailable
from watchdog.engine.settings import Settings
from watchdog.web.facts import About
from watchdog.web.render import Renderer
from watchdog.web.rows import Asked

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_PAGE_HEADERS = _HEADERS | {"Cache-Control": "no-store"}
_FILE_HEADERS = _HEADERS | {"Cache-Control": "public, max-age=31536000, immutable"}
"""A changed file has another address: its hash is in the query."""

_LONGEST_ID = 100
"""As long as the ledger's column."""

_FILES = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}


class View(Protocol):
    """The source of what the page shows."""

    @property
    def about(self) -> About: ...

    @property
    def condition(self) -> Condition: ...

    @property
    def settings(self) -> Settings: ...

    async def fleet(self) -> Overview:
        """Raises LedgerUnavailable."""

    async def past(self, model_id: str) -> Past | None:
        """None where there is no such target. Raises LedgerUnavailable."""


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    media_type: str

    @property
    def mark(self) -> str:
        return hashlib.sha256(self.body).hexdigest()[:12]


class Page:
    """Read-only: it answers GET and HEAD."""

    def __init__(self, view: View) -> None:
        self._view = view
        folder = files("watchdog.web") / "static"
        self._files = {
            name: _File((folder / name).read_bytes(), media_type)
            for name, media_type in _FILES.items()
        }
        marks = {name: file.mark for name, file in self._files.items()}
        self._renderer = Renderer(view.about, marks)
        self._rendering = asyncio.Lock()

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
        try:
            seen = await view.fleet()
        except LedgerUnavailable:
            return await self._away(".")
        render = self._renderer.fleet
        return await self._answer(lambda: render(seen, asked, view.settings, view.condition))

    async def _target(self, request: Request) -> Response:
        model_id: str = request.path_params["model_id"]
        if not model_id.isprintable() or len(model_id) > _LONGEST_ID:
            # PostgreSQL would reject this text, and that must not be reported as an outage.
            return await self._answer(lambda: self._renderer.unknown(model_id), status=404)
        try:
            past = await self._view.past(model_id)
        except LedgerUnavailable:
            return await self._away("..")
        if past is None:
            return await self._answer(lambda: self._renderer.unknown(model_id), status=404)
        return await self._answer(lambda: self._renderer.target(past))

    async def _away(self, root: str) -> Response:
        view = self._view
        return await self._answer(
            lambda: self._renderer.away(root, view.settings, view.condition), status=503
        )

    async def _file(self, request: Request) -> Response:
        file = self._files.get(request.path_params["name"])
        if file is None:
            return Response(status_code=404, headers=_PAGE_HEADERS)
        return Response(file.body, media_type=file.media_type, headers=_FILE_HEADERS)

    async def _answer(self, render: Callable[[], str], *, status: int = 200) -> Response:
        """Render in a thread, as it takes long where there are hundreds of targets; and one page
        at a time, as each further thread would make the loop wait longer for its turn."""
        async with self._rendering:
            text = await asyncio.to_thread(render)
        return HTMLResponse(text, status_code=status, headers=_PAGE_HEADERS)
