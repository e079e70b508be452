"""The metrics' names and labels, which are a contract, and what a restart must not hide."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.fakes.events import ATTEMPT, LIMITS, LOGGED, OUTCOMES, QUIET, TARGET
from tests.fakes.records import NOW, POLICY, ago, healthy
from watchdog.domain.records import Target
from watchdog.engine.events import (
    BecameActive,
    BecameStandby,
    CheckDone,
    RetryAnswered,
    TargetChanged,
    TargetForgotten,
)
from watchdog.telemetry.metrics import Metrics

PREFIX = "baseten_watchdog_"

CONTRACT = {
    "deployment_status": {"model_id", "status"},
    "target_state": {"model_id", "state"},
    "target_info": {"model_id", "model_name", "deployment_id"},
    "checks_total": {"result"},
    "check_lateness_seconds_bucket": {"le"},
    "retry_attempts_total": {"model_id", "outcome"},
    "retry_suppressed": {"model_id", "reason"},
    "retry_suppressed_total": {"reason"},
    "episodes_total": {"result"},
    "recovery_seconds_bucket": {"le"},
    "failing_since_timestamp_seconds": {"model_id"},
    "next_attempt_timestamp_seconds": {"model_id"},
    "last_observed_timestamp_seconds": {"model_id"},
    "retry_budget_remaining": {"model_id", "scope"},
    "fleet_retry_budget_remaining": {"scope"},
    "last_sweep_timestamp_seconds": set(),
    "api_requests_total": {"operation", "code"},
    "api_request_duration_seconds_bucket": {"operation", "le"},
    "active": set(),
    "api_up": set(),
    "api_key_accepted": set(),
    "breaker_open": set(),
    "discovered_targets": set(),
    "discovery_last_success_timestamp_seconds": set(),
    "paused": {"model_id"},
    "pause_expiry_timestamp_seconds": {"model_id"},
    "operator_actions_total": {"action"},
    "config_last_reload_successful": set(),
    "config_last_reload_success_timestamp_seconds": set(),
    "log_lines_dropped_total": set(),
    "ledger_transaction_seconds_bucket": {"le"},
    "ledger_up": set(),
    "ledger_created_timestamp_seconds": set(),
    "mode_info": {"mode"},
    "replica_info": {"replica"},
    "build_info": {"version", "python"},
}
"""Every metric of ours, a histogram by its buckets, with the names of its labels."""


class FixedClock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


def metrics() -> Metrics:
    return Metrics(LIMITS, FixedClock())


def samples(page: Metrics) -> Iterator[Sample]:
    body = b"".join(page.render())
    for family in text_string_to_metric_families(body.decode()):
        yield from family.samples


def values(page: Metrics, name: str, label: str) -> dict[str, float]:
    return {
        sample.labels[label]: sample.value
        for sample in samples(page)
        if sample.name == PREFIX + name
    }


def changed(target: Target) -> TargetChanged:
    return TargetChanged(target=target, policy=POLICY, attempts=())


def test_the_names_and_their_labels_are_those_that_people_were_promised() -> None:
    page = metrics()
    for event in [*QUIET, *LOGGED.values()]:
        if not isinstance(event, TargetForgotten):
            page(event)
    found = {
        sample.name.removeprefix(PREFIX): set(sample.labels)
        for sample in samples(page)
        if sample.name.startswith(PREFIX) and not sample.name.endswith(("_sum", "_count"))
    }
    assert found == CONTRACT


def test_an_episode_that_an_earlier_process_opened_has_all_its_outcomes_at_0() -> None:
    page = metrics()
    page(changed(healthy()))
    assert values(page, "retry_attempts_total", "outcome") == {}
    page(changed(TARGET))
    assert values(page, "retry_attempts_total", "outcome") == dict.fromkeys(OUTCOMES, 0)
    page(RetryAnswered(target=TARGET, attempt=ATTEMPT))
    page(changed(TARGET))
    assert values(page, "retry_attempts_total", "outcome")[ATTEMPT.outcome] == 1


def test_an_answer_that_comes_after_its_target_was_forgotten_brings_nothing_back() -> None:
    page = metrics()
    page(changed(TARGET))
    page(TargetForgotten(model_id="m1"))
    page(RetryAnswered(target=TARGET, attempt=ATTEMPT))
    assert values(page, "retry_attempts_total", "outcome") == {}


def test_a_record_older_than_the_last_check_does_not_turn_the_time_back() -> None:
    page = metrics()
    recorded = healthy(observed_at=ago(hours=10))
    page(changed(recorded))
    page(CheckDone(model_id="m1", result="healthy", observed_at=ago(minutes=1)))
    page(changed(replace(recorded, missing_since=NOW)))
    seen = values(page, "last_observed_timestamp_seconds", "model_id")
    assert seen == {"m1": ago(minutes=1).timestamp()}


def test_every_reason_that_can_be_counted_is_there_from_the_start() -> None:
    assert values(metrics(), "retry_suppressed_total", "reason") == dict.fromkeys(
        (
            "missing",
            "standing_failure",
            "opted_out",
            "first_delay",
            "backoff",
            "window_spent",
            "fleet_minute_spent",
            "fleet_in_flight",
            "fleet_window_spent",
            "breaker_open",
            "paused",
            "outside_allowed_times",
            "api_held",
            "auth_failed",
            "look_again_failed",
            "episode_spent",
            "refused_twice",
            "forbidden",
        ),
        0,
    )


def test_a_check_that_ends_after_its_replica_stood_down_exports_nothing() -> None:
    page = metrics()
    page(BecameActive())
    changed = TargetChanged(target=TARGET, policy=POLICY, attempts=(ATTEMPT,))
    page(changed)
    assert values(page, "target_state", "state")
    page(BecameStandby())
    page(TargetForgotten(model_id=TARGET.model_id))
    for late in (
        changed,
        CheckDone(model_id=TARGET.model_id, result="failing", observed_at=NOW),
        RetryAnswered(target=TARGET, attempt=ATTEMPT),
    ):
        page(late)
    assert not [each for each in samples(page) if TARGET.model_id in each.labels.values()]
    page(BecameActive())
    page(changed)
    assert values(page, "target_state", "state")
