"""The daemon: the order in which its parts start and stop."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TextIO

from watchdog import __version__
from watchdog.app.in_force import InForce
from watchdog.app.parts import SetupError, make_api, make_engine, make_key, open_ledger
from watchdog.app.reload import ConfigSource, Reloader
from watchdog.app.ticking import Ticker
from watchdog.app.viewing import Viewing
from watchdog.clock import OnDrift, SystemClock
from watchdog.config import Config, LoadedConfig
from watchdog.engine.events import (
    ClockDrifted,
    ConfigDoubtful,
    LedgerCreated,
    LedgerOpened,
    Started,
    Stopped,
)
from watchdog.engine.fleet.condition import Condition
from watchdog.engine.lifecycle.leadership import Leadership
from watchdog.engine.lifecycle.presence import HEARTBEAT, Presence
from watchdog.engine.lifecycle.sweep import TICK
from watchdog.engine.lifecycle.wiring import Engine, Fanout
from watchdog.engine.ports import LedgerUnavailable, Listener
from watchdog.ledger import Role, SqlLedger
from watchdog.telemetry.health import Liveness, Readiness
from watchdog.telemetry.log_writer import LogWriter
from watchdog.telemetry.logs import LogListener, start_logging
from watchdog.telemetry.metrics import Metrics
from watchdog.web import About, Page, PortTaken, WebServer, build_app


class Daemon:
    """The whole daemon. `started` is set when it begins to watch or to stand by; from then on
    `metrics_url` is known."""

    def __init__(
        self,
        config: Config,
        environ: Mapping[str, str],
        *,
        source: ConfigSource | None = None,
        warnings: Sequence[str] = (),
        listeners: Sequence[Listener] = (),
        log_stream: TextIO | None = None,
        make_clock: Callable[[OnDrift], SystemClock] = SystemClock,
    ) -> None:
        self._config = config
        self._source = source or ConfigSource(None, lambda: LoadedConfig(config, (), {}))
        self._reloader: Reloader | None = None
        self._environ = environ
        self._warnings = warnings
        self._listener = Fanout(listeners)
        self._log_stream = log_stream or sys.stderr
        self._make_clock = make_clock
        self.started = asyncio.Event()
        self.metrics_url = ""

    def reload(self) -> None:
        """Read the configuration again. A closed terminal also sends SIGHUP, which must not stop
        the daemon."""
        if self._reloader is not None:
            self._reloader.ask()

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, then end in order. Raises SetupError when it cannot start."""
        config, listener = self._config, self._listener
        clock = self._make_clock(lambda difference: listener(ClockDrifted(difference=difference)))
        key = make_key(config, self._environ)
        condition = Condition()
        metrics = Metrics(clock, condition)
        readiness = Readiness(condition)
        liveness = Liveness(clock, TICK)
        writer = LogWriter(self._log_stream, metrics.log_line_dropped)
        logger = start_logging(config.logging.level, config.logging.format, writer, key)
        log = LogListener(logger, key)
        for each in (condition, log, metrics, readiness):
            listener.add(each)
        for warning in self._warnings:
            listener(ConfigDoubtful(warning=warning))
        async with AsyncExitStack() as parts:
            parts.callback(writer.drain)
            api = make_api(config, key, clock, listener)
            parts.push_async_callback(api.close)
            ledger = open_ledger(config, clock, Role.DAEMON)
            parts.push_async_callback(ledger.close)
            engine = make_engine(config, api, ledger, clock, listener)
            about = _about(config)
            reader = ledger.reader()
            parts.push_async_callback(reader.close)
            view = Viewing(reader, engine.live, clock, about=about, condition=condition)
            web = _web(config, metrics, liveness, readiness, Page(view))
            parts.push_async_callback(web.stop)
            self.metrics_url = f"{web.url}/metrics"
            await web.start()
            leadership = Leadership(engine.ledger, clock, listener)
            listener.add(leadership)
            presence = Presence(
                engine.ledger,
                engine.live,
                listener,
                version=__version__,
                is_active=lambda: bool(leadership.term),
            )
            ledgers = (ledger, reader)
            in_force = InForce(config, self._environ, engine, presence, api, ledgers)
            self._announce(engine, ledger)
            in_force.tell_stretched()

            async def take_up(wanted: Config) -> None:
                await in_force.reload(wanted)
                form = wanted.logging
                log.use(start_logging(form.level, form.format, writer, key))

            self._reloader = Reloader(self._source, config, take_up, listener, clock)
            await self._serve(engine, in_force, leadership, liveness, stop)

    def _announce(self, engine: Engine, ledger: SqlLedger) -> None:
        settings, listener, where = engine.settings, self._listener, self._config.store.display_url
        listener(LedgerOpened(created_at=ledger.created_at))
        if ledger.created:
            listener(LedgerCreated(ledger=where))
        listener(
            Started(
                version=__version__,
                mode=self._config.mode,
                replica=settings.owner,
                targets=len(settings.models),
                limits=settings.limits,
                ledger=where,
            )
        )

    async def _serve(
        self,
        engine: Engine,
        in_force: InForce,
        leadership: Leadership,
        liveness: Liveness,
        stop: asyncio.Event,
    ) -> None:
        """Watch while this replica is the active one, and stand by while another one is."""
        ticker, late = Ticker(self._listener), 0
        ticker.every(TICK, liveness.beat)
        ticker.every(TICK, leadership.tick)
        ticker.every(HEARTBEAT, in_force.beat)
        if self._reloader is not None:
            ticker.every(TICK, self._reloader.tick)
        try:
            await leadership.tick()
            ticker.start()
            while not stop.is_set():
                await in_force.beat()
                if number := leadership.term:
                    late = await self._watch(number, in_force, leadership, stop)
                else:
                    self.started.set()
                    await leadership.until_another(number, stop)
        finally:
            engine.retrier.send_nothing_more()
            await ticker.stop()
            await engine.retrier.finish()
            await in_force.leave()
            self._listener(Stopped(abandoned_checks=late))

    async def _watch(
        self,
        number: int,
        in_force: InForce,
        leadership: Leadership,
        stop: asyncio.Event,
    ) -> int:
        """One term as the active replica. Returns how many checks did not end in time."""
        try:
            term = await in_force.start_term()
        except LedgerUnavailable as error:
            if not self.started.is_set():
                raise SetupError(str(error)) from error
            if not await leadership.give_up(f"the watch list was not taken up: {error}"):
                await asyncio.sleep(TICK.total_seconds())
            return 0
        self.started.set()
        try:
            retention, discover = self._config.store.retention, in_force.discovery()
            return await term.watch(
                number, leadership, stop, Ticker(self._listener), retention, discover
            )
        finally:
            in_force.end_term()


def _about(config: Config) -> About:
    kind = config.store.url.startswith("postgresql")
    return About(version=__version__, ledger="PostgreSQL" if kind else "SQLite")


def _web(
    config: Config, metrics: Metrics, liveness: Liveness, readiness: Readiness, page: Page
) -> WebServer:
    app = build_app(
        metrics=metrics.formats,
        alive=liveness.reason,
        ready=readiness.reasons,
        more=page.routes,
    )
    try:
        return WebServer(app, host=config.server.host, port=config.server.port)
    except PortTaken as error:
        raise SetupError(str(error)) from error
