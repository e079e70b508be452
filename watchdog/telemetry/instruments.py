"""The metrics that describe this process: their names, help texts and buckets."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    disable_created_metrics,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from watchdog.domain.causes import Cause
from watchdog.domain.records import ActionKind, DecisionReason, EpisodeResult, Health
from watchdog.telemetry.exposition import PREFIX

_RECOVERY_BUCKETS = tuple(
    60 * minutes for minutes in (1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 240)
)
"""Seconds, up to four hours: the time of all attempts of an episode in the worst case."""

_LATENESS_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_REQUEST_BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 10.5, 25)
"""Seconds. A request that met the default time-out of 10 s took a little longer: without a bound
just above it, a quantile of such requests would be in the middle between 10 and 25."""

_LEDGER_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_CHECK_RESULTS = (*Health, "missing", "error")

_GAUGES = {
    "active": "Whether this replica watches and retries; the others are on standby.",
    "api_key_accepted": "Whether the API accepts the key.",
    "api_up": "Whether the API answers: 0 while the checks of all targets fail.",
    "breaker_open": "Whether the breaker is open: only its canary may be retried.",
    "config_last_reload_success_timestamp_seconds": "When a configuration was last applied.",
    "config_last_reload_successful": (
        "Whether the configuration that was last read could be applied."
    ),
    "discovered_targets": "Models that are watched because the API lists them.",
    "discovery_last_success_timestamp_seconds": ("When the API's list of models was last read."),
    "last_sweep_timestamp_seconds": "When due targets were last claimed.",
    "ledger_ahead_of_api_seconds": (
        "By how much the ledger's time is ahead of the API's clock, to about a minute."
    ),
    "ledger_created_timestamp_seconds": "When the ledger was created; its limits count from then.",
    "ledger_up": "Whether the ledger answers.",
    "listing_unreadable_entries": (
        "Entries of the API's last list of models that could not be read."
    ),
    "notifications_pending": "Notices that wait to be sent to a receiver.",
    "retries_forbidden": "Whether the API forbids all retries with the key: one an hour is tried.",
}
"""The gauges. Each is missing from the exposition until it has a first value."""

_INFOS = {
    "build": "The version of the program.",
    "mode": "Whether it retries or only observes.",
    "replica": "The owner in this replica's attempts.",
}


class Instruments:
    """Counters and histograms are attributes. Gauges and infos are set by name, without the
    prefix."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._gauges: dict[str, Gauge] = {}
        self._infos: dict[str, Info] = {}
        self.checks = self._counter("checks", "Checks, by result.", "result")
        self.suppressed = self._counter(
            "retry_suppressions", "How often a reason not to retry began.", "reason"
        )
        self.episodes = self._counter(
            "episodes",
            "Ended episodes, by result, and by the cause of the failure.",
            "result",
            "cause",
        )
        self.failures = self._counter("failures", "Failures, by their cause.", "cause")
        self.retries = self._counter(
            "retries_by_cause", "Retries that were charged, by the cause of the failure.", "cause"
        )
        self.requests = self._counter(
            "api_requests", "Requests to the API, by answer.", "operation", "code"
        )
        self.log_lines_dropped = self._counter(
            "log_lines_dropped", "Log lines that could not be written, or not soon enough."
        )
        self.jumps = self._counter(
            "clock_jumps",
            "How often the ledger's time jumped against the API's, by more than a minute.",
        )
        self.went_back = self._counter(
            "ledger_went_back", "How often the ledger was found in an older state than before."
        )
        self.internal_errors = self._counter("internal_errors", "Bugs: unexpected exceptions.")
        self.notifications = self._counter(
            "notifications",
            "Messages to receivers that were sent or failed, and notices that were dropped.",
            "receiver",
            "result",
        )
        self.actions = self._counter("operator_actions", "What operators did, by kind.", "action")
        self.lateness = self._histogram(
            "check_lateness_seconds", "How much later than due a check began.", _LATENESS_BUCKETS
        )
        self.recovery = self._histogram(
            "recovery_seconds",
            "From the first failing observation to the first healthy one.",
            _RECOVERY_BUCKETS,
        )
        self.durations = self._histogram(
            "api_request_duration_seconds",
            "How long requests to the API took.",
            _REQUEST_BUCKETS,
            "operation",
        )
        self.transactions = self._histogram(
            "ledger_transaction_seconds",
            "How long the ledger's transactions took, including the wait for their turn.",
            _LEDGER_BUCKETS,
        )
        self._begin_at_zero()

    def set(self, name: str, value: float) -> None:
        if name not in self._gauges:
            self._gauges[name] = Gauge(PREFIX + name, _GAUGES[name], registry=self.registry)
        self._gauges[name].set(value)

    def info(self, name: str, **labels: str) -> None:
        if name not in self._infos:
            self._infos[name] = Info(PREFIX + name, _INFOS[name], registry=self.registry)
        self._infos[name].info(labels)

    def _begin_at_zero(self) -> None:
        """A counter with a series from the start for every value of a closed set, because a rate
        cannot count a series that begins at 1."""
        for action in ActionKind:
            self.actions.labels(action)
        for result in _CHECK_RESULTS:
            self.checks.labels(result)
        for reason in DecisionReason:
            if reason.counted:
                self.suppressed.labels(reason)
        for ending in EpisodeResult:
            # A reset is counted with the operators' actions.
            if ending is not EpisodeResult.RESET:
                for cause in Cause:
                    self.episodes.labels(ending, cause)
        for cause in Cause:
            self.failures.labels(cause)
            self.retries.labels(cause)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(PREFIX + name, text, labels, buckets=buckets, registry=self.registry)
