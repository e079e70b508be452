"""The composition root: the only place where the parts meet, and the order of start and stop."""

import asyncio
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, timedelta
from typing import IO, TypeVar

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from watchdog import __version__
from watchdog.baseten_api import ApiSetupError, HttpBasetenApi, KeySource
from watchdog.clock import SystemClock
from watchdog.config import Config
from watchdog.domain.records import Observation, Target
from watchdog.engine.attempt import Retrier
from watchdog.engine.check import Checked, Checker
from watchdog.engine.events import (
    ClockDrifted,
    Event,
    IntervalStretched,
    LedgerOpened,
    Started,
    Stopped,
)
from watchdog.engine.ledger_watch import WatchedLedger
from watchdog.engine.ports import ApiError, Clock, LedgerTransaction, Listener
from watchdog.engine.record import Recorder
from watchdog.engine.settings import Model, Settings
from watchdog.engine.sweep import TICK, Sweep
from watchdog.engine.telling import tell
from watchdog.engine.watchlist import begin
from watchdog.ledger import LedgerSetupError, Role, SqlLedger
from watchdog.telemetry import Liveness, Metrics, Readiness, start_logging
from watchdog.web import PortTaken, WebServer, build_app

T = TypeVar("T")

GRACE = timedelta(seconds=10)
"""How long checks under way may take to finish when the daemon stops."""

PRUNE_INTERVAL = timedelta(hours=1)


class SetupError(Exception):
    """It cannot start. One line: what is wrong, where, and what to do."""


class Fanout:
    """Passes each event on to every listener, in order."""

    def __init__(self, listeners: Iterable[Listener]) -> None:
        self.listeners = list(listeners)

    def __call__(self, event: Event) -> None:
        for listener in self.listeners:
            listener(event)


class Engine:
    """The parts that check and retry, wired."""

    def __init__(
        self, api: HttpBasetenApi, ledger: SqlLedger, clock: Clock, listener: Listener,
        settings: Settings,
    ) -> None:
        self.settings = settings
        self.listener = listener
        self.ledger = WatchedLedger(ledger, listener)
        self.recorder = Recorder(self.ledger, settings)
        self.retrier = Retrier(
            api, self.ledger, clock, listener, settings, new_id=lambda: uuid.uuid4().hex
        )
        self.checker = Checker(api, self.ledger, clock, listener, settings, self.retrier)


class Daemon:
    """The whole daemon. `started` is set once it watches; `metrics_url` is known from then on."""

    def __init__(
        self,
        config: Config,
        environ: Mapping[str, str],
        *,
        listeners: Sequence[Listener] = (),
        log_stream: IO[str] | None = None,
    ) -> None:
        self._config = config
        self._environ = environ
        self._listener = Fanout(listeners)
        self._log_stream = log_stream or sys.stderr
        self.started = asyncio.Event()
        self.metrics_url = ""
    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, then end in order: no new checks, ten seconds for those under
        way, and every answer to a retry recorded. Raises SetupError when it cannot start."""
        config, clock = self._config, SystemClock(self._drifted)
        async with AsyncExitStack() as parts:
            ...
