"""The read-only JSON API. docs/api.md describes it; the shapes are those of `status --json`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from watchdog.engine.fleet.overview import Overview
from watchdog.engine.fleet.shapes import fleet_json, target_json
from watchdog.engine.ports import LedgerUnavailable
from watchdog.text.json_text import json_text
from watchdog.web.turns import Busy, Turns
from watchdog.web.view import BUSY, BUSY_HEADERS, FRESH_HEADERS, View, is_possible_id


class JsonApi:
    """It answers GET and HEAD. `turns` are those of the page, so that both together leave most of
    the time to the checks."""

    def __init__(self, view: View, turns: Turns) -> None:
        self._view = view
        self._turns = turns

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/api/v1/targets", self._targets),
            Route("/api/v1/targets/{model_id}", self._target),
            Route("/api/v1/fleet", self._fleet),
            Route("/api", _nothing),
            Route("/api/{path:path}", _nothing),
        ]

    async def _targets(self, _: Request) -> Response:
        app_url = self._view.settings.app_url

        def shape(seen: Overview) -> dict[str, Any]:
            return {"targets": [target_json(each, seen.now, app_url) for each in seen.targets]}

        return await self._fleets(shape)

    async def _target(self, request: Request) -> Response:
        model_id: str = request.path_params["model_id"]
        app_url = self._view.settings.app_url

        async def make() -> Response:
            past = await self._view.past(model_id) if is_possible_id(model_id) else None
            if past is None:
                return _error(404, f"the ledger knows no model {model_id}")
            return await _json(lambda: target_json(past.watched, past.now, app_url))

        return await self._answer(lambda: self._turns.take(make))

    async def _fleet(self, _: Request) -> Response:
        return await self._fleets(fleet_json)

    async def _fleets(self, shape: Callable[[Overview], dict[str, Any]]) -> Response:
        async def make() -> Response:
            # Not in a turn: the view itself bounds how often it reads, and no rest follows.
            seen = await self._view.fleet()
            return await self._turns.take(lambda: _json(lambda: shape(seen)))

        return await self._answer(make)

    async def _answer(self, make: Callable[[], Awaitable[Response]]) -> Response:
        try:
            with self._turns.place():
                return await make()
        except Busy:
            return _error(503, BUSY, BUSY_HEADERS)
        except LedgerUnavailable:
            return _error(503, "the ledger does not answer")


async def _nothing(_: Request) -> Response:
    return _error(404, "there is no such path: there are /api/v1/targets and /api/v1/fleet")


async def _json(shape: Callable[[], dict[str, Any]]) -> Response:
    """Make it in a thread: thousands of targets take some tens of milliseconds."""
    return _response(await asyncio.to_thread(lambda: json_text(shape())))


def _error(status: int, text: str, headers: dict[str, str] = FRESH_HEADERS) -> Response:
    return _response(json_text({"error": text}), status, headers)


def _response(text: str, status: int = 200, headers: dict[str, str] = FRESH_HEADERS) -> Response:
    return Response(text, status_code=status, headers=headers, media_type="application/json")
