"""Prometheus metrics: counters that live in this process, and the snapshot of the targets."""

import platform
from collections.abc import Callable, Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from watchdog.domain.records import ActionKind, DecisionReason, EpisodeResult, Health
from watchdog.engine.events import (
    ApiClockSeen,
    ApiRequested,
    BecameActive,
    BecameStandby,
    BreakerSeen,
    CheckDone,
    CheckStarted,
    ClockJumped,
    ConfigReloaded,
    ConfigReloadFailed,
    DeploymentReplaced,
    DiscoveryDone,
    EpisodeSuperseded,
    Event,
    FleetSeen,
    ForbiddenSeen,
    GaveUp,
    InternalError,
    LedgerBack,
    LedgerLost,
    LedgerOpened,
    LedgerTransacted,
    LedgerWentBack,
    ModelsListed,
    OperatorActed,
    PausesSeen,
    Recovered,
    RetryAnswered,
    RetrySuppressed,
    Started,
    SweepDone,
    TargetChanged,
    TargetForgotten,
    TargetMissing,
    TargetRemoved,
    TargetUnrecorded,
    WatchingSeen,
)
from watchdog.engine.fleet.condition import Condition
from watchdog.engine.ports import Clock
from watchdog.telemetry.exposition import PREFIX
from watchdog.telemetry.snapshot import Snapshot

_RECOVERY_BUCKETS = tuple(
    60 * minutes for minutes in (1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 240)
)
"""Up to four hours: all attempts of an episode at their slowest."""

_LATENESS_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_REQUEST_BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25)
_LEDGER_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_CHECK_RESULTS = (*Health, "missing", "error")


class Metrics:
    """Listens to events and renders the exposition. Has a registry of its own."""

    def __init__(self, clock: Clock, condition: Condition) -> None:
        self._condition = condition
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._clock = clock
        self._snapshot = Snapshot(clock)
        self._checks = self._counter("checks", "Checks, by what they saw.", "result")
        self._suppressed = self._counter(
            "retry_suppressions", "How often a reason not to retry set in.", "reason"
        )
        self._episodes = self._counter("episodes", "Ended episodes, by how.", "result")
        self._requests = self._counter(
            "api_requests", "Requests to the API, by what came back.", "operation", "code"
        )
        self._log_lines_dropped = self._counter(
            "log_lines_dropped", "Log lines that could not be written, or not soon enough."
        )
        self._jumps = self._counter(
            "clock_jumps", "How often the ledger's time and the API's came to differ otherwise."
        )
        self._went_back = self._counter(
            "ledger_went_back", "How often the ledger was found in an older state than before."
        )
        self._internal_errors = self._counter(
            "internal_errors", "Bugs: exceptions that nothing foresaw."
        )
        self._actions = self._counter("operator_actions", "What operators did, by kind.", "action")
        for action in ActionKind:
            self._actions.labels(action)
        for result in _CHECK_RESULTS:
            self._checks.labels(result)
        for reason in DecisionReason:
            if reason.counted:
                self._suppressed.labels(reason)
        for ending in EpisodeResult:
            # A reset is a command's doing, and counted among what operators did.
            if ending is not EpisodeResult.RESET:
                self._episodes.labels(ending)
        self._lateness = Histogram(
            f"{PREFIX}check_lateness_seconds",
            "How much later than due a check began.",
            buckets=_LATENESS_BUCKETS,
            registry=self._registry,
        )
        self._recovery = Histogram(
            f"{PREFIX}recovery_seconds",
            "From the first failing observation to the first healthy one.",
            buckets=_RECOVERY_BUCKETS,
            registry=self._registry,
        )
        self._durations = Histogram(
            f"{PREFIX}api_request_duration_seconds",
            "How long requests to the API took.",
            ["operation"],
            buckets=_REQUEST_BUCKETS,
            registry=self._registry,
        )
        self._transactions = Histogram(
            f"{PREFIX}ledger_transaction_seconds",
            "How long the ledger's transactions took, waiting for their turn included.",
            buckets=_LEDGER_BUCKETS,
            registry=self._registry,
        )
        self._standby = False
        self._gauges: dict[str, Gauge] = {}
        self._infos: dict[str, Info] = {}

    @property
    def formats(self) -> dict[str, Callable[[], Iterator[bytes]]]:
        """By content type, the usual one first. A body comes in pieces of a few milliseconds."""
        return {
            CONTENT_TYPE_PLAIN_0_0_4: self.render,
            openmetrics.CONTENT_TYPE_LATEST: self.render_openmetrics,
        }

    def render(self) -> Iterator[bytes]:
        """The exposition in the text format 0.0.4."""
        self._note_condition()
        yield generate_latest(self._registry)
        yield from self._snapshot.render()

    def render_openmetrics(self) -> Iterator[bytes]:
        """The exposition in OpenMetrics 1.0."""
        self._note_condition()
        body: bytes = openmetrics.generate_latest(self._registry)  # type: ignore[no-untyped-call]
        yield body.removesuffix(_EOF)
        yield from self._snapshot.render(openmetrics=True)
        yield _EOF

    def _note_condition(self) -> None:
        known = self._condition
        for name, text, value in (
            ("api_up", _API_UP, known.api_up),
            ("api_key_accepted", _KEY_ACCEPTED, known.key_accepted),
        ):
            if value is not None:
                self._set(name, text, int(value))

    def log_line_dropped(self) -> None:
        """Count a line that nobody will read. May be called from any thread."""
        self._log_lines_dropped.inc()

    def __call__(self, event: Event) -> None:
        if self._note_check(event):
            return  # Each check tells three events, and all the others are rare.
        self._note_target(event)
        self._note_attempt(event)
        self._note_daemon(event)
        self._note_ledger(event)
        self._note_api(event)

    def _note_check(self, event: Event) -> bool:
        match event:
            case CheckStarted():
                self._lateness.observe(event.lateness.total_seconds())
            case ApiRequested():
                self._requests.labels(event.operation, event.code).inc()
                self._durations.labels(event.operation).observe(event.duration_seconds)
            case CheckDone() if not self._standby:
                self._checks.labels(event.result).inc()
                if event.observed_at is not None:
                    self._snapshot.observed(event.model_id, event.observed_at)
            case _:
                return False
        return True

    def _note_target(self, event: Event) -> None:
        match event:
            case TargetChanged() | TargetUnrecorded() | FleetSeen() if self._standby:
                return  # What was under way ends late; another replica exports the targets now.
            case FleetSeen():
                self._snapshot.fleet_seen(event.fleet)
            case WatchingSeen():
                self._snapshot.watching(event.count)
            case TargetChanged():
                self._snapshot.put(event.target, event.policy, event.attempts)
            case TargetUnrecorded():
                self._snapshot.put_unrecorded(event.target)
            case TargetForgotten():
                self._snapshot.forget(event.model_id)

    def _note_attempt(self, event: Event) -> None:
        match event:
            case RetryAnswered() if not self._standby:
                self._snapshot.answered(event.target.model_id, event.attempt.outcome)
            case RetrySuppressed() | GaveUp():
                self._suppressed.labels(event.decision.reason).inc()
            case Recovered():
                self._recovery.observe(event.after.total_seconds())
                self._episodes.labels(EpisodeResult.RECOVERED).inc()
            case EpisodeSuperseded():
                self._episodes.labels(EpisodeResult.SUPERSEDED).inc()
            case DeploymentReplaced():
                self._episodes.labels(EpisodeResult.REPLACED).inc()
            case TargetMissing() | TargetRemoved() if event.episode is not None:
                self._episodes.labels(EpisodeResult.REMOVED).inc()

    def _note_daemon(self, event: Event) -> None:
        match event:
            case Started():
                self._info("mode", "Whether it retries or only observes.", mode=event.mode)
                self._reloaded(ok=True)
                version = platform.python_version()
                self._info("build", "What runs.", version=event.version, python=version)
                self._info("replica", "What it signs its attempts with.", replica=event.replica)
            case BecameActive() | BecameStandby():
                self._standby = isinstance(event, BecameStandby)
                self._snapshot.fleet_seen(None)
                self._snapshot.watching(None)
                self._set("active", _ACTIVE, int(isinstance(event, BecameActive)))
            case ConfigReloaded():
                self._info("mode", "Whether it retries or only observes.", mode=event.mode)
                self._reloaded(ok=True)
            case ConfigReloadFailed():
                self._reloaded(ok=False)
            case OperatorActed():
                self._actions.labels(event.action.kind).inc()
            case PausesSeen():
                self._snapshot.paused(event.pauses)
            case BreakerSeen():
                text = "Whether the breaker stops all retries but its canary's."
                self._set("breaker_open", text, int(event.open))
            case DiscoveryDone():
                text = "Models that are watched because the API lists them."
                self._set("discovered_targets", text, event.discovered)
                text = "When the API's list of models was last taken up."
                name = "discovery_last_success_timestamp_seconds"
                self._set(name, text, event.at.timestamp())
            case SweepDone():
                self._set(
                    "last_sweep_timestamp_seconds",
                    "When due targets were last claimed.",
                    event.at.timestamp(),
                )

    def _note_ledger(self, event: Event) -> None:
        match event:
            case LedgerOpened():
                self._set(
                    "ledger_created_timestamp_seconds",
                    "When the ledger was made; its budgets count from then.",
                    event.created_at.timestamp(),
                )
                self._set("ledger_up", _LEDGER_UP, 1)
            case LedgerTransacted():
                self._transactions.observe(event.duration_seconds)
            case LedgerWentBack():
                self._went_back.inc()
            case InternalError():
                self._internal_errors.inc()
            case LedgerBack():
                self._set("ledger_up", _LEDGER_UP, 1)
            case LedgerLost():
                self._set("ledger_up", _LEDGER_UP, 0)

    def _note_api(self, event: Event) -> None:
        match event:
            case ModelsListed():
                text = "Entries of the API's last list of models that could not be read."
                self._set("listing_unreadable_entries", text, event.unreadable)
            case ApiClockSeen():
                self._snapshot.api_clock(event.ledger_ahead)
                seconds = event.ledger_ahead.total_seconds()
                self._set("ledger_ahead_of_api_seconds", _LEDGER_AHEAD, seconds)
            case ClockJumped():
                self._jumps.inc()
            case ForbiddenSeen():
                text = "Whether the API forbids the key all retries but one an hour."
                self._set("retries_forbidden", text, int(event.forbidden))

    def _reloaded(self, *, ok: bool) -> None:
        text = "Whether the configuration was taken up when it was last read."
        self._set("config_last_reload_successful", text, int(ok))
        if ok:
            text = "When a configuration was last taken up."
            now = self._clock.now().timestamp()
            self._set("config_last_reload_success_timestamp_seconds", text, now)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, text, labels, registry=self._registry)

    def _set(self, name: str, text: str, value: float) -> None:
        """Set a gauge that is absent until it has a first value."""
        if name not in self._gauges:
            self._gauges[name] = Gauge(PREFIX + name, text, registry=self._registry)
        self._gauges[name].set(value)

    def _info(self, name: str, text: str, **labels: str) -> None:
        if name not in self._infos:
            self._infos[name] = Info(PREFIX + name, text, registry=self._registry)
        self._infos[name].info(labels)


_EOF = b"# EOF\n"

_ACTIVE = "Whether this replica watches and retries; the others stand by."
_API_UP = "Whether the API answers at all: 0 while the failures are common to all targets."
_KEY_ACCEPTED = "Whether the API accepts the key."
_LEDGER_AHEAD = "By how much the ledger's time is ahead of the API's clock, to about a minute."
_LEDGER_UP = "Whether the ledger answers."
