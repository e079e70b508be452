"""The ledger's worker thread, as a queue in virtual time."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, NoReturn

from watchdog.engine.ports import LedgerUnavailable

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

_LOCKED_SECONDS = 5.0
"""Seconds that a transaction waits before it fails."""


class Worker(Executor):
    """Runs one transaction at a time. Each is committed at one moment, after it was requested and
    before its result is returned; a process can die between any two of these. The transactions of
    the task `quiet`, which is the ticker's own, do not wake the ticker."""

    def __init__(self, simulation: "Simulation") -> None:
        self.quiet: asyncio.Task[Any] | None = None
        self._simulation = simulation
        self._jobs: deque[tuple[Callable[[], Any], Future[Any], bool]] = deque()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        by_ticker = asyncio.current_task() is self.quiet
        self._jobs.append((lambda: fn(*args, **kwargs), done, by_ticker))
        if len(self._jobs) == 1:
            self._begin()
        return done

    def _begin(self) -> None:
        simulation = self._simulation
        delay = _LOCKED_SECONDS if simulation.ledger_locked() else simulation.ledger_delay()
        simulation.loop.call_later(delay, self._run)

    def _run(self) -> None:
        work, done, by_ticker = self._jobs[0]
        result, error = None, None
        try:
            result = _locked() if self._simulation.ledger_locked() else work()
        except Exception as raised:  # noqa: BLE001 - passed on to whoever waits
            error = raised
        if not by_ticker or error is not None:
            self._simulation.committed()
        delay = self._simulation.ledger_delay()
        self._simulation.loop.call_later(delay, self._tell, done, result, error)

    def _tell(self, done: "Future[Any]", result: object, error: Exception | None) -> None:
        self._jobs.popleft()
        if self._jobs:
            self._begin()
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)


def _locked() -> NoReturn:
    raise LedgerUnavailable("locked")
