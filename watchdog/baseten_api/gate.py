"""Limits the rate of all requests, and holds an operation when the API asks to wait."""

import asyncio
import heapq
import itertools
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum

from watchdog.domain.limits import GIVE_WAY, LONGEST_HOLD
from watchdog.domain.records import DecisionReason, Hold
from watchdog.engine.events import ApiHeld, AuthFailed, AuthRecovered
from watchdog.engine.ports import Clock, Held, Listener

SHORTEST_HOLD = timedelta(seconds=1)

BLIND_HOLD_MOST = timedelta(seconds=60)
"""The longest hold after 429s that name no time: the API's own windows are one minute."""

AUTH_HOLD = timedelta(minutes=1)
"""While the key is refused, one request a minute tests it."""


class Precedence(IntEnum):
    """Which of the requests that wait pass first."""

    URGENT = 0
    """A retry, and the look before it."""

    USUAL = 1
    OPTIONAL = 2
    """A request that only explains what was seen. It gets what the checks leave of the rate."""


@dataclass(frozen=True, slots=True)
class _Quiet:
    """A hold that ends at a time of the monotonic clock. A step of the wall clock, which may be a
    database server's, neither ends nor extends it."""

    reason: DecisionReason
    ends: float


class Gate:
    """Lets requests pass at `rate` a second, by their precedence."""

    def __init__(self, rate: float, clock: Clock, listener: Listener) -> None:
        self._spacing = 1 / rate
        self._clock = clock
        self._listener = listener
        self._next_at = 0.0
        self._waiting: list[tuple[Precedence, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._holds: dict[str, _Quiet] = {}
        self._blind: dict[str, timedelta] = {}
        self._giving_way: dict[tuple[str, str], _Quiet] = {}
        self._auth: _Quiet | None = None
        self._auth_failing = False
        self.key_accepted: bool | None = None

    def hold(self, operation: str, model_id: str | None = None) -> Hold | None:
        """The hold that the operation must wait for now; None if there is none."""
        quiet = self._in_force(self._auth) or self._quiet(operation, model_id)
        return None if quiet is None else self._until(quiet)

    async def enter(
        self,
        operation: str,
        model_id: str | None,
        *,
        precedence: Precedence,
        despite_auth: bool = False,
    ) -> None:
        """Wait for a turn. During a hold it raises Held and does not wait.

        `despite_auth`: a refused key does not hold this request. This is so for every list of
        models, because that list shows whether the key is accepted.
        """
        self._refuse_held(operation, model_id, despite_auth=despite_auth)
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (precedence, next(self._order), turn))
        self._let_pass()
        await turn
        self._refuse_held(operation, model_id, despite_auth=despite_auth)
        if self._auth is not None and not despite_auth:
            # The minute is over: this request tests the key, and the others wait for its answer.
            self._auth = self._for(AUTH_HOLD, DecisionReason.AUTH_FAILED)

    def throttled(self, operation: str, model_id: str | None, seconds: float | None) -> Hold:
        """The API answered 429 to a request. `model_id` is the model that it was about, `seconds`
        the time that the answer named, if any."""
        quiet = self._held_for_all(operation, seconds)
        self._giving_way = {
            key: waiting for key, waiting in self._giving_way.items() if self._in_force(waiting)
        }
        if model_id is not None:
            own = _Quiet(quiet.reason, quiet.ends + GIVE_WAY.total_seconds())
            self._giving_way[operation, model_id] = own
        return self._until(quiet)

    def _held_for_all(self, operation: str, seconds: float | None) -> _Quiet:
        present = self._in_force(self._holds.get(operation))
        if seconds is not None and seconds >= 0:
            span = min(max(timedelta(seconds=min(seconds, 1e6)), SHORTEST_HOLD), LONGEST_HOLD)
        elif present is not None:
            # This request was sent before that hold began: a burst of such answers must not double
            # the hold repeatedly.
            return present
        else:
            span = self._blind.get(operation, SHORTEST_HOLD)
            self._blind[operation] = min(span * 2, BLIND_HOLD_MOST)
        quiet = self._for(span, DecisionReason.API_HELD)
        if present is not None and present.ends >= quiet.ends:
            return present
        self._holds[operation] = quiet
        if present is None:
            self._listener(ApiHeld(operation=operation, hold=self._until(quiet)))
        return quiet

    def denied(self, code: str) -> None:
        """The key was refused: all requests but the list of models wait. One request a minute tests
        whether the key is accepted again."""
        self._auth = self._for(AUTH_HOLD, DecisionReason.AUTH_FAILED)
        self.key_accepted = False
        if not self._auth_failing:
            self._auth_failing = True
            self._listener(AuthFailed(code=code, hold=self._until(self._auth)))

    def pace(self, rate: float) -> None:
        """Change the rate at which requests pass."""
        self._spacing = 1 / rate

    def key_changed(self) -> None:
        """The key was replaced: end the hold that began when the earlier key was refused."""
        self._auth = None

    def succeeded(self, operation: str) -> None:
        """The API answered with a 2xx: the key is accepted, and the next hold of unknown length is
        short again."""
        self._blind.pop(operation, None)
        self._auth = None
        self.key_accepted = True
        if self._auth_failing:
            self._auth_failing = False
            self._listener(AuthRecovered())

    def _for(self, span: timedelta, reason: DecisionReason) -> _Quiet:
        return _Quiet(reason, self._clock.monotonic() + span.total_seconds())

    def _until(self, quiet: _Quiet) -> Hold:
        """The hold with its end as a time of the present wall clock."""
        left = timedelta(seconds=quiet.ends - self._clock.monotonic())
        return Hold(quiet.reason, self._clock.now() + left)

    def _in_force(self, quiet: _Quiet | None) -> _Quiet | None:
        return quiet if quiet is not None and quiet.ends > self._clock.monotonic() else None

    def _quiet(self, operation: str, model_id: str | None) -> _Quiet | None:
        own = self._giving_way.get((operation, model_id)) if model_id is not None else None
        return self._in_force(own) or self._in_force(self._holds.get(operation))

    def _refuse_held(self, operation: str, model_id: str | None, *, despite_auth: bool) -> None:
        quiet = self._quiet(operation, model_id)
        hold = self.hold(operation, model_id)
        if despite_auth:
            hold = None if quiet is None else self._until(quiet)
        if hold is not None:
            text = f"{operation} waits until {hold.until:%H:%M:%SZ}: {hold.reason}"
            raise Held(text, hold=hold)

    def _let_pass(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting and self._timer is None:
            delay = self._next_at - loop.time()
            if delay > 0:
                self._timer = loop.call_later(delay, self._ring)
                return
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                self._next_at = max(self._next_at, loop.time() - self._spacing) + self._spacing
                turn.set_result(None)

    def _ring(self) -> None:
        self._timer = None
        self._let_pass()
