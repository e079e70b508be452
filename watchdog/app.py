"""The composition root: the only place where the parts meet, and the order of start and stop."""

import asyncio
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, timedelta
from typing import TextIO, TypeVar

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from watchdog import __version__
from watchdog.baseten_api import KEY_VARIABLE, ApiSetupError, HttpBasetenApi, KeySource
from watchdog.clock import SystemClock
from watchdog.config import Config
from watchdog.domain.records import Target
from watchdog.engine.attempt import Retrier
from watchdog.engine.check import Checked, Checker, look
from watchdog.engine.events import (
    ClockDrifted,
    ConfigDoubtful,
    Event,
    IntervalStretched,
    LedgerCreated,
    LedgerOpened,
    Started,
    Stopped,
)
from watchdog.engine.ledger_watch import WatchedLedger
from watchdog.engine.ports import Clock, LedgerTransaction, LedgerUnavailable, Listener
from watchdog.engine.record import Recorder
from watchdog.engine.settings import Model, Settings
from watchdog.engine.sweep import TICK, Sweep
from watchdog.engine.telling import tell
from watchdog.engine.watchlist import begin, enlist
from watchdog.ledger import LedgerSetupError, Role, SqlLedger
from watchdog.telemetry.health import Liveness, Readiness
from watchdog.telemetry.logs import LogListener, start_logging
from watchdog.telemetry.metrics import Metrics
from watchdog.web import PortTaken, WebServer, build_app

T = TypeVar("T")

GRACE = timedelta(seconds=10)
"""How long checks under way may take to finish when the daemon stops."""

PRUNE_INTERVAL = timedelta(hours=1)


class SetupError(Exception):
    """It cannot start. One line: what is wrong, where, and what to do."""


class Fanout:
    """Passes each event on to every listener, in order."""

    def __init__(self, listeners: Iterable[Listener] = ()) -> None:
        self._listeners = list(listeners)

    def add(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def __call__(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)


class Daemon:
    """The whole daemon. `started` is set once it watches; `metrics_url` is known from then on."""

    def __init__(
        self,
        config: Config,
        environ: Mapping[str, str],
        *,
        warnings: Sequence[str] = (),
        listeners: Sequence[Listener] = (),
        log_stream: TextIO | None = None,
    ) -> None:
        self._config = config
        self._environ = environ
        self._warnings = warnings
        self._listener = Fanout(listeners)
        self._log_stream = log_stream or sys.stderr
        self.started = asyncio.Event()
        self.metrics_url = ""

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, then end in order. Raises SetupError when it cannot start."""
        config, listener = self._config, self._listener
        clock = SystemClock(lambda difference: listener(ClockDrifted(difference=difference)))
        key = _key(config, self._environ)
        metrics, readiness = Metrics(config.fleet_limits(), clock), Readiness()
        liveness = Liveness(clock, TICK)
        logger = start_logging(config.logging.level, config.logging.format, self._log_stream)
        for each in (LogListener(logger, key), metrics, readiness):
            listener.add(each)
        for warning in self._warnings:
            listener(ConfigDoubtful(warning=warning))
        async with AsyncExitStack() as parts:
            api = _api(config, key, clock, listener)
            parts.push_async_callback(api.close)
            ledger = _ledger(config, clock, Role.DAEMON)
            parts.push_async_callback(ledger.close)
            web = _web(config, metrics, liveness, readiness)
            parts.push_async_callback(web.stop)
            self.metrics_url = f"{web.url}/metrics"
            await web.start()
            await self._watch(_Engine(config, api, ledger, clock, listener), liveness, stop)

    async def _watch(self, engine: "_Engine", liveness: Liveness, stop: asyncio.Event) -> None:
        sweep = await engine.begin(self._config)
        self.started.set()
        scheduler = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        tick = IntervalTrigger(seconds=int(TICK.total_seconds()), timezone=UTC)
        scheduler.add_job(liveness.beat, tick)
        scheduler.add_job(sweep.tick, tick)
        prune = IntervalTrigger(seconds=int(PRUNE_INTERVAL.total_seconds()), timezone=UTC)
        scheduler.add_job(engine.prune, prune, args=[self._config.store.retention])
        sweep.start()
        await sweep.tick()
        scheduler.start()
        try:
            await stop.wait()
        finally:
            scheduler.shutdown(wait=False)
            engine.retrier.send_nothing_more()
            late = await sweep.stop(GRACE)
            await engine.retrier.finish()
            self._listener(Stopped(abandoned_checks=late))


class _Engine:
    """The parts that check and retry, wired."""

    def __init__(
        self,
        config: Config,
        api: HttpBasetenApi,
        ledger: SqlLedger,
        clock: Clock,
        listener: Listener,
    ) -> None:
        settings = _settings(config, ledger.owner)
        self._sql_ledger = ledger
        self._clock = clock
        self._listener = listener
        self._settings = settings
        self.ledger = WatchedLedger(ledger, listener)
        self._recorder = Recorder(self.ledger, settings)
        self.retrier = Retrier(
            api, self.ledger, clock, listener, settings, new_id=lambda: uuid.uuid4().hex
        )
        self.checker = Checker(api, self.ledger, clock, listener, settings, self.retrier)

    async def begin(self, config: Config) -> Sweep:
        """Settle what an earlier life left behind, and take up the watch list."""
        settings, listener = self._settings, self._listener
        where = config.store.display_url
        listener(LedgerOpened(created_at=self._sql_ledger.created_at))
        if self._sql_ledger.created:
            listener(LedgerCreated(ledger=where))
        try:
            known = await self.ledger.transact(lambda tx: begin(tx, self._recorder, settings))
        except LedgerUnavailable as error:
            raise SetupError(str(error)) from error
        listener(
            Started(
                version=__version__,
                mode=config.mode,
                targets=len(settings.models),
                limits=settings.limits,
                ledger=where,
            )
        )
        if settings.effective_interval > settings.interval:
            listener(
                IntervalStretched(interval=settings.interval, effective=settings.effective_interval)
            )
        for recorded in known:
            tell(recorded, settings, listener)
        watched = [recorded.after for recorded in known if recorded.after.watched]
        return Sweep(self.ledger, self.checker, self._clock, listener, settings, watched)

    async def enlist(self) -> list[Target]:
        """The configured targets for one pass of a command, which adds nothing to what daemons
        watch."""
        return await self.ledger.transact(lambda tx: enlist(tx, self._recorder, self._settings))

    async def prune(self, retention: timedelta) -> None:
        """Delete what is older than the retention; the next hour is soon enough if that fails."""
        before = self._clock.now() - retention
        try:
            await self.ledger.transact(lambda tx: tx.prune(before))
        except LedgerUnavailable:
            return


async def check_once(config: Config, environ: Mapping[str, str], *, retry: bool) -> list[Checked]:
    """One pass over all targets. Without `retry` the ledger is neither read nor written."""
    clock, listener = SystemClock(), Fanout()
    api = _api(config, _key(config, environ), clock, listener)
    try:
        if not retry:
            models = {model.id: model.name for model in config.models}
            return await asyncio.gather(
                *(
                    look(api, clock, policy, model_id, models[model_id])
                    for model_id, policy in config.policies().items()
                )
            )
        ledger = _ledger(config, clock, Role.COMMAND)
        try:
            engine = _Engine(config, api, ledger, clock, listener)
            targets = await engine.enlist()
            return await asyncio.gather(*map(engine.checker.check, targets))
        except LedgerUnavailable as error:
            raise SetupError(str(error)) from error
        finally:
            await ledger.close()
    finally:
        await api.close()


async def read_ledger(config: Config, work: Callable[[LedgerTransaction], T]) -> T:
    """Run one reading transaction on the ledger. Raises SetupError."""
    ledger = _ledger(config, SystemClock(), Role.READER)
    try:
        return await ledger.transact(work)
    except LedgerUnavailable as error:
        raise SetupError(str(error)) from error
    finally:
        await ledger.close()


def _settings(config: Config, owner: str) -> Settings:
    names = {model.id: model.name for model in config.models}
    return Settings(
        observe=config.mode == "observe",
        owner=owner,
        models={
            model_id: Model(names[model_id], policy)
            for model_id, policy in config.policies().items()
        },
        limits=config.fleet_limits(),
        interval=config.watch.interval,
        recovery_interval=config.watch.recovery_interval,
        timeout=config.baseten.timeout,
        concurrency=config.watch.concurrency,
        max_rate=config.baseten.max_requests_per_second,
    )


def _key(config: Config, environ: Mapping[str, str]) -> KeySource:
    try:
        return KeySource(file=config.baseten.api_key_file, value=environ.get(KEY_VARIABLE))
    except ApiSetupError as error:
        raise SetupError(str(error)) from error


def _api(config: Config, key: KeySource, clock: Clock, listener: Listener) -> HttpBasetenApi:
    try:
        return HttpBasetenApi(
            config.baseten.base_url,
            key,
            timeout=config.baseten.timeout,
            max_requests_per_second=config.baseten.max_requests_per_second,
            concurrency=config.watch.concurrency,
            user_agent=f"baseten-watchdog/{__version__}",
            clock=clock,
            listener=listener,
        )
    except ApiSetupError as error:
        raise SetupError(str(error)) from error


def _ledger(config: Config, clock: Clock, role: Role) -> SqlLedger:
    try:
        return SqlLedger.open(
            config.store.url,
            clock=clock,
            base_url=config.baseten.base_url,
            role=role,
            observe=config.mode == "observe",
        )
    except LedgerSetupError as error:
        raise SetupError(str(error)) from error


def _web(config: Config, metrics: Metrics, liveness: Liveness, readiness: Readiness) -> WebServer:
    app = build_app(render_metrics=metrics.render, alive=liveness.reason, ready=readiness.reasons)
    try:
        return WebServer(app, host=config.server.host, port=config.server.port)
    except PortTaken as error:
        raise SetupError(str(error)) from error
