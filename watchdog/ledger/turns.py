"""Blocking calls, one at a time in a thread of their own, and how long each may wait."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, Protocol, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from watchdog.engine.ports import LedgerUnavailable
from watchdog.ledger.errors import is_of_the_data

T = TypeVar("T")

_INTERRUPT_AGAIN_SECONDS = 0.1


class Line(Protocol):
    """What the calls are made on. `seconds_left` and `interrupt` are for other threads."""

    def seconds_left(self, asked_at: float, /) -> float:
        """How much longer a call may take that was asked for then, on the monotonic clock."""

    def interrupt(self) -> None:
        """Have the call under way fail: it is overdue."""

    def unavailable(self, error: Exception, /) -> LedgerUnavailable:
        """What to tell of a driver's error."""


class Turns:
    """A caller that is cancelled gives up the result and not the work: that is done in its turn,
    before any later work and before `close` returns."""

    def __init__(self, line: Line, worker: Executor) -> None:
        """`worker` has one thread, or takes its turns otherwise."""
        self._line = line
        self._worker = worker

    async def take(self, work: Callable[[float], T]) -> T:
        """Do the work, which is given the moment at which it was asked for. Raises
        LedgerUnavailable for a driver's error that is not of the data; all else passes through."""
        asked_at = time.monotonic()
        asked = asyncio.wrap_future(self._worker.submit(self._guarded, work, asked_at))
        self._interrupt_when_overdue(asked_at, asked)
        asked.add_done_callback(_heeded)
        await asyncio.wait((asked,))
        return asked.result()

    async def close(self) -> None:
        """Finish what was asked for."""
        await asyncio.to_thread(self._worker.shutdown)

    def _interrupt_when_overdue(self, asked_at: float, asked: asyncio.Future[Any]) -> None:
        """Have it fail once it is overdue, and again until it has: it may only begin then. What
        runs before it was asked for sooner, so that is overdue as well."""
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._line.seconds_left(asked_at), lambda: interrupt())

        def interrupt() -> None:
            nonlocal timer
            left = self._line.seconds_left(asked_at)
            if left <= 0:
                self._line.interrupt()
                left = _INTERRUPT_AGAIN_SECONDS
            timer = loop.call_later(left, interrupt)

        asked.add_done_callback(lambda _: timer.cancel())

    def _guarded(self, work: Callable[[float], T], asked_at: float) -> T:
        try:
            return work(asked_at)
        except (SQLAlchemyError, sqlite3.Error) as error:
            if is_of_the_data(error):
                raise
            raise self._line.unavailable(error) from error


def _heeded(asked: asyncio.Future[Any]) -> None:
    """Nobody need hear of the error when the caller has gone."""
    if not asked.cancelled():
        asked.exception()
