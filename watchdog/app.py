"""The composition root: the only place where the parts meet, and the order of start and stop."""

import asyncio
import logging
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, timedelta
from typing import IO, TypeVar

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from watchdog import __version__
from watchdog.baseten_api import ApiSetupError, HttpBasetenApi, KeySource
from watchdog.clock import SystemClock
from watchdog.config import Config
from watchdog.domain.records import DecisionKind, Observation, Target
from watchdog.domain.status import health_of
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
from watchdog.engine.ports import ApiError, LedgerTransaction, Listener, NotFound
from watchdog.engine.record import Recorder
from watchdog.engine.settings import Model, Settings
from watchdog.engine.sweep import TICK, Sweep
from watchdog.engine.telling import tell
from watchdog.engine.watchlist import begin
from watchdog.ledger import LedgerSetupError, SqlLedger
from watchdog.telemetry import Liveness, LogListener, Metrics, Readiness, configure_logging
from watchdog.web import PortTaken, WebServer, build_app

T = TypeVar("T")

GRACE = timedelta(seconds=10)
"""How long checks under way may take to finish when the daemon stops."""

PRUNE_INTERVAL = timedelta(hours=1)


class SetupError(Exception):
    """The daemon cannot start. One line: what is wrong, where, and what to do."""
