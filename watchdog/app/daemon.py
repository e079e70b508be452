"""The daemon: the order in which its parts start and stop."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TextIO

from watchdog import __version__
from watchdog.app.health import noting_address
from watchdog.app.in_force import InForce
from watchdog.app.ledger import open_ledger
from watchdog.app.opening import open_unless
from watchdog.app.parts import make_api, make_engine, make_key, make_notifier
from watchdog.app.reload import ConfigSource, Reloader
from watchdog.app.setup import SetupError
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
from watchdog.engine.lifecycle.presence import Presence
from watchdog.engine.lifecycle.wiring import Engine, Fanout
from watchdog.engine.ports import LedgerUnavailable, Listener
from watchdog.engine.settings import TICK
from watchdog.files.descriptors import raise_limit
from watchdog.ledger import Role, SqlLedger
from watchdog.telemetry.health import Liveness, Readiness
from watchdog.telemetry.log_writer import LogWriter
from watchdog.telemetry.logs import LogListener
from watchdog.telemetry.metrics import Metrics
from watchdog.web import (
    About,
    Connections,
    PortTaken,
    WebServer,
    build_app,
    most_connections,
    view_routes,
)


class Daemon:
    """The whole daemon. `started` is set when it begins to watch or to stand by; from then on
    `url`, of the page, is known."""

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
        self.url = ""

    @property
    def metrics_url(self) -> str:
        return f"{self.url}/metrics"

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
        log = LogListener(writer, key, level=config.logging.level, form=config.logging.format)
        for each in (condition, log, metrics, readiness):
            listener.add(each)
        for warning in self._warnings:
            listener(ConfigDoubtful(warning=warning))
        async with AsyncExitStack() as parts:
            parts.callback(writer.drain)
            notifier = make_notifier(config)
            api = make_api(config, key, clock, listener)
            parts.push_async_callback(api.close)
            ledger = await open_unless(stop, lambda: open_ledger(config, clock, Role.DAEMON))
            if ledger is None:
                return
            parts.push_async_callback(ledger.close)
            engine = make_engine(
                config, api, ledger, clock, listener, notifier=notifier, condition=condition
            )
            about = _about(config)
            reader = ledger.reader()
            parts.push_async_callback(reader.close)
            view = Viewing(reader, engine.live, clock, about=about, condition=condition)
            web = _web(config, metrics, liveness, readiness, view)
            parts.push_async_callback(web.stop)
            self.url = web.url
            await web.start()
            parts.enter_context(noting_address(web.host, web.port, self._source.path))
            if web.host != config.server.host:
                listener(ConfigDoubtful(warning=_no_ipv6(web.host)))
            leadership = Leadership(engine.ledger, clock, listener)
            listener.add(leadership)
            presence = Presence(
                engine.ledger,
                engine.live,
                clock,
                listener,
                version=__version__,
                condition=condition,
                is_active=lambda: bool(leadership.term),
            )
            ledgers = (ledger, reader)
            in_force = InForce(config, self._environ, engine, presence, api, log, ledgers, notifier)
            self._announce(engine, ledger)
            in_force.tell_stretched()
            self._reloader = Reloader(self._source, in_force, listener, clock)
            await self._serve(engine, in_force, leadership, liveness, stop)

    def _announce(self, engine: Engine, ledger: SqlLedger) -> None:
        settings, listener, where = engine.settings, self._listener, self._config.store.display_url
        file = self._source.path
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
                page=f"{self.url}/",
                metrics=self.metrics_url,
                config=str(file.absolute()) if file is not None else None,
                api=self._config.baseten.base_url,
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
        ticker.every(TICK, in_force.beat_if_due)
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
            self.started.set()
            ticker, retention = Ticker(self._listener), self._config.store.retention
            return await term.watch(number, leadership, stop, ticker, retention, in_force.discover)
        except LedgerUnavailable as error:
            if not self.started.is_set():
                raise SetupError(str(error)) from error
            if not await leadership.give_up(f"the watch list was not taken up: {error}"):
                await asyncio.sleep(TICK.total_seconds())
            return 0
        finally:
            in_force.end_term()


def _no_ipv6(host: str) -> str:
    return f"server.host: this machine has no IPv6: the page listens on {host} instead of ::"


def _about(config: Config) -> About:
    is_postgres = config.store.url.startswith("postgresql")
    return About(version=__version__, ledger="PostgreSQL" if is_postgres else "SQLite")


def _web(
    config: Config, metrics: Metrics, liveness: Liveness, readiness: Readiness, view: Viewing
) -> WebServer:
    app = build_app(
        metrics=metrics.formats,
        alive=liveness.reason,
        ready=readiness.reasons,
        more=view_routes(view),
        allowed_hosts=(config.server.host, *config.server.allowed_hosts),
    )
    try:
        return WebServer(
            app,
            host=config.server.host,
            port=config.server.port,
            connections=Connections(most_connections(raise_limit())),
        )
    except PortTaken as error:
        raise SetupError(str(error)) from error
