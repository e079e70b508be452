"""Between the daemons and the emulator: records who sent a request, when, and what was really sent
back. Each process of a replica has its own key, which is its name; the emulator has only one."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

KEY = "the-real-key"

_OF_INTEREST = ("status", "id", "created_at", "retried", "retry_after")


@dataclass(slots=True)
class Note:
    """One request. `arrived` and `answered`, when the last of the answer was sent, are seconds
    since the start. `answer` is what it said, as far as it was JSON. With the `number` it can be
    found in the emulator's own record."""

    number: int
    client: str
    arrived: float
    answered: float | None = None
    answer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def peer(self) -> str:
        """As the emulator knows it."""
        return f"{self.client}:{self.number}"


class Tap:
    """An ASGI application, once it is `around` the emulator's."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._app: ASGIApp | None = None
        self._clock = clock
        self.notes: list[Note] = []

    def around(self, app: ASGIApp) -> ASGIApp:
        self._app = app
        return self

    @property
    def last_client(self) -> str | None:
        """The client of the latest request: probably the active replica."""
        return self.notes[-1].client if self.notes else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._app is not None
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        client = headers[b"authorization"].decode().partition(" ")[2]
        note = Note(len(self.notes), client, self._clock())
        self.notes.append(note)
        headers[b"authorization"] = f"Api-Key {KEY}".encode()
        scope = {**scope, "headers": list(headers.items()), "client": (client, note.number)}

        async def noting(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.body":
                note.answered = self._clock()
                note.answer = _read(message["body"])

        await self._app(scope, receive, noting)


def _read(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return {name: found[name] for name in _OF_INTEREST if name in found}
