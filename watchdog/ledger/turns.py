"""Runs blocking calls one at a time in a separate thread, and limits how long each may take."""

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
    """The connection that the calls use. Other threads may call `seconds_left` and `interrupt`."""

    def seconds_left(self, asked_at: float, /) -> float:
        """How many seconds are left to a call that was requested at `asked_at`, on the monotonic
        clock."""

    def interrupt(self) -> None:
        """Make the running call fail, because it is overdue."""

    def unavailable(self, error: Exception, /) -> LedgerUnavailable:
        """The error to raise in place of a driver's error."""


class Turns:
    """If a caller is cancelled, only the result is lost: the work is still done in its turn, before
    any later work and before `close` returns."""

    def __init__(self, line: Line, worker: Executor) -> None:
        """`worker` must run one call at a time, in the order of the requests."""
        self._line = line
        self._worker = worker

    async def take(self, work: Callable[[float], T]) -> T:
        """Call `work` with the monotonic time of this request. Raises LedgerUnavailable for a
        driver's error that is not of the data; every other error passes through."""
        asked_at = time.monotonic()
        asked = asyncio.wrap_future(self._worker.submit(self._guarded, work, asked_at))
        self._interrupt_when_overdue(asked_at, asked)
        asked.add_done_callback(_heeded)
        await asyncio.wait((asked,))
        return asked.result()

    async def close(self) -> None:
        """Finish the requested work."""
        await asyncio.to_thread(self._worker.shutdown)

    def _interrupt_when_overdue(self, asked_at: float, asked: asyncio.Future[Any]) -> None:
        """Interrupt the line when the request is overdue, and repeat that until the request has
        ended: it may still be waiting for its turn. The call that runs before it was requested
        earlier, so it is overdue as well."""
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
    """Mark the error as retrieved: asyncio would log it if the caller was cancelled."""
    if not asked.cancelled():
        asked.exception()
