"""Prometheus metrics: the metrics of this process, and the snapshot of the targets."""

import platform
from collections.abc import Callable, Iterator

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from watchdog.domain.records import Episode, EpisodeResult
from watchdog.engine.events import (
    ApiClockSeen,
    ApiRequested,
    BecameActive,
    BecameStandby,
    BreakerSeen,
    CauseFound,
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
    NotificationDropped,
    NotificationFailed,
    NotificationSent,
    NotificationsWaiting,
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
    TeamsSeen,
    WatchingSeen,
)
from watchdog.engine.fleet.condition import Condition
from watchdog.engine.ports import Clock
from watchdog.telemetry.instruments import Instruments
from watchdog.telemetry.snapshot import Snapshot


class Metrics:
    """Receives events and renders the exposition. It has its own registry."""

    def __init__(self, clock: Clock, condition: Condition) -> None:
        self._condition = condition
        self._clock = clock
        self._own = Instruments()
        self._snapshot = Snapshot(clock)
        self._standby = False

    @property
    def formats(self) -> dict[str, Callable[[], Iterator[bytes]]]:
        """The renderers by content type, the usual one first. A body is rendered in pieces of a few
        milliseconds."""
        return {
            CONTENT_TYPE_PLAIN_0_0_4: self.render,
            openmetrics.CONTENT_TYPE_LATEST: self.render_openmetrics,
        }

    def render(self) -> Iterator[bytes]:
        """The exposition in the text format 0.0.4."""
        self._note_condition()
        yield generate_latest(self._own.registry)
        yield from self._snapshot.render()

    def render_openmetrics(self) -> Iterator[bytes]:
        """The exposition in OpenMetrics 1.0."""
        self._note_condition()
        body: bytes = openmetrics.generate_latest(self._own.registry)  # type: ignore[no-untyped-call]
        yield body.removesuffix(_EOF)
        yield from self._snapshot.render(openmetrics=True)
        yield _EOF

    def _note_condition(self) -> None:
        for name, value in (
            ("api_up", self._condition.api_up),
            ("api_key_accepted", self._condition.key_accepted),
        ):
            if value is not None:
                self._own.set(name, int(value))

    def log_line_dropped(self) -> None:
        """Count a log line that was not written. May be called from any thread."""
        self._own.log_lines_dropped.inc()

    def __call__(self, event: Event) -> None:
        if self._note_check(event):
            return  # Each check reports three events, and all others are rare.
        self._note_target(event)
        self._note_attempt(event)
        self._note_daemon(event)
        self._note_ledger(event)
        self._note_api(event)
        self._note_notifications(event)

    def _note_check(self, event: Event) -> bool:
        match event:
            case CheckStarted():
                self._own.lateness.observe(event.lateness.total_seconds())
            case ApiRequested():
                self._own.requests.labels(event.operation, event.code).inc()
                self._own.durations.labels(event.operation).observe(event.duration_seconds)
            case CheckDone() if not self._standby:
                self._own.checks.labels(event.result).inc()
                if event.observed_at is not None:
                    self._snapshot.observed(event.model_id, event.observed_at)
            case _:
                return False
        return True

    def _note_target(self, event: Event) -> None:
        match event:
            case TargetChanged() | TargetUnrecorded() | FleetSeen() if self._standby:
                return  # A late check; another replica exports the targets now.
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
            case TeamsSeen():
                self._snapshot.teams(event.teams)

    def _note_attempt(self, event: Event) -> None:
        match event:
            case RetryAnswered() if not self._standby:
                self._snapshot.answered(event.target.model_id, event.attempt.outcome)
                episode = event.target.episode
                if event.attempt.outcome.charged and episode is not None:
                    self._own.retries.labels(episode.cause).inc()
            case CauseFound():
                self._own.failures.labels(event.finding.cause).inc()
            case RetrySuppressed() | GaveUp():
                self._own.suppressed.labels(event.decision.reason).inc()
            case Recovered():
                self._own.recovery.observe(event.after.total_seconds())
                self._ended(EpisodeResult.RECOVERED, event.episode)
            case EpisodeSuperseded():
                self._ended(EpisodeResult.SUPERSEDED, event.episode)
            case DeploymentReplaced():
                self._ended(EpisodeResult.REPLACED, event.episode)
            case TargetMissing() | TargetRemoved() if event.episode is not None:
                self._ended(EpisodeResult.REMOVED, event.episode)

    def _ended(self, result: EpisodeResult, episode: Episode) -> None:
        self._own.episodes.labels(result, episode.cause).inc()

    def _note_daemon(self, event: Event) -> None:
        match event:
            case Started():
                self._own.info("mode", mode=event.mode)
                self._reloaded(ok=True)
                version = platform.python_version()
                self._own.info("build", version=event.version, python=version)
                self._own.info("replica", replica=event.replica)
            case BecameActive() | BecameStandby():
                self._standby = isinstance(event, BecameStandby)
                self._snapshot.fleet_seen(None)
                self._snapshot.watching(None)
                self._own.set("active", int(isinstance(event, BecameActive)))
            case ConfigReloaded():
                self._own.info("mode", mode=event.mode)
                self._reloaded(ok=True)
            case ConfigReloadFailed():
                self._reloaded(ok=False)
            case OperatorActed():
                self._own.actions.labels(event.action.kind).inc()
            case PausesSeen():
                self._snapshot.paused(event.pauses)
            case BreakerSeen():
                self._own.set("breaker_open", int(event.open))
            case DiscoveryDone():
                self._own.set("discovered_targets", event.discovered)
                name = "discovery_last_success_timestamp_seconds"
                self._own.set(name, event.at.timestamp())
            case SweepDone():
                self._own.set("last_sweep_timestamp_seconds", event.at.timestamp())

    def _note_ledger(self, event: Event) -> None:
        match event:
            case LedgerOpened():
                self._own.set("ledger_created_timestamp_seconds", event.created_at.timestamp())
                self._own.set("ledger_up", 1)
            case LedgerTransacted():
                self._own.transactions.observe(event.duration_seconds)
            case LedgerWentBack():
                self._own.went_back.inc()
            case InternalError():
                self._own.internal_errors.inc()
            case LedgerBack():
                self._own.set("ledger_up", 1)
            case LedgerLost():
                self._own.set("ledger_up", 0)

    def _note_api(self, event: Event) -> None:
        match event:
            case ModelsListed():
                self._own.set("listing_unreadable_entries", event.unreadable)
            case ApiClockSeen():
                self._snapshot.api_clock(event.ledger_ahead)
                seconds = event.ledger_ahead.total_seconds()
                self._own.set("ledger_ahead_of_api_seconds", seconds)
            case ClockJumped():
                self._own.jumps.inc()
            case ForbiddenSeen():
                self._own.set("retries_forbidden", int(event.forbidden))

    def _note_notifications(self, event: Event) -> None:
        match event:
            case NotificationsWaiting():
                self._own.set("notifications_pending", event.count)
                for receiver in event.receivers:
                    for result in _NOTIFICATION_RESULTS:
                        self._own.notifications.labels(receiver, result)
            case NotificationSent():
                self._own.notifications.labels(event.receiver, "sent").inc()
            case NotificationFailed():
                self._own.notifications.labels(event.receiver, "failed").inc()
            case NotificationDropped():
                self._own.notifications.labels(event.receiver, "dropped").inc()

    def _reloaded(self, *, ok: bool) -> None:
        self._own.set("config_last_reload_successful", int(ok))
        if ok:
            now = self._clock.now().timestamp()
            self._own.set("config_last_reload_success_timestamp_seconds", now)


_NOTIFICATION_RESULTS = ("sent", "failed", "dropped")
_EOF = b"# EOF\n"
