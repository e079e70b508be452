"""What `/metrics` says: the names and labels, which are a contract, and the values."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.fakes.events import ATTEMPT, GAVE_UP, LOGGED, OUTCOMES, QUIET, TARGET, UNTIL
from tests.fakes.records import (
    FLEET,
    NOW,
    POLICY,
    ago,
    an_attempt,
    an_episode,
    failing,
    healthy,
    refailed,
)
from watchdog.domain.causes import Cause, Explanation
from watchdog.domain.records import (
    Action,
    ActionKind,
    Attempt,
    Decision,
    DecisionKind,
    DecisionReason,
    DeploymentRef,
    Outcome,
    Target,
)
from watchdog.engine.events import (
    ApiRequested,
    BecameActive,
    BecameStandby,
    BreakerSeen,
    CheckDone,
    CheckStarted,
    Event,
    FleetSeen,
    InternalError,
    LedgerBack,
    LedgerLost,
    LedgerOpened,
    LedgerWentBack,
    PausesSeen,
    Recovered,
    RetryAnswered,
    RetrySuppressed,
    SweepDone,
    TargetChanged,
    TargetForgotten,
    TargetMissing,
    TargetUnrecorded,
    TeamsSeen,
    WatchingSeen,
)
from watchdog.engine.fleet.condition import Condition
from watchdog.telemetry.metrics import Metrics

PREFIX = "baseten_watchdog_"

CONTRACT = {
    "deployment_status": {"model_id", "status"},
    "target_state": {"model_id", "state"},
    "target_info": {"model_id", "model_name", "team", "deployment_id"},
    "checks_total": {"result"},
    "check_lateness_seconds_bucket": {"le"},
    "retry_attempts_total": {"model_id", "outcome"},
    "retry_suppressed": {"model_id", "reason"},
    "retry_suppressions_total": {"reason"},
    "episodes_total": {"result", "cause"},
    "failures_total": {"cause"},
    "retries_by_cause_total": {"cause"},
    "notifications_total": {"receiver", "result"},
    "notifications_pending": set(),
    "recovery_seconds_bucket": {"le"},
    "failing_since_timestamp_seconds": {"model_id"},
    "status_since_timestamp_seconds": {"model_id"},
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
    "retries_forbidden": set(),
    "discovered_targets": set(),
    "discovery_last_success_timestamp_seconds": set(),
    "listing_unreadable_entries": set(),
    "paused": {"model_id"},
    "pause_expiry_timestamp_seconds": {"model_id"},
    "operator_actions_total": {"action"},
    "config_last_reload_successful": set(),
    "config_last_reload_success_timestamp_seconds": set(),
    "log_lines_dropped_total": set(),
    "clock_jumps_total": set(),
    "ledger_ahead_of_api_seconds": set(),
    "ledger_transaction_seconds_bucket": {"le"},
    "ledger_up": set(),
    "internal_errors_total": set(),
    "watched_targets": set(),
    "ledger_went_back_total": set(),
    "ledger_created_timestamp_seconds": set(),
    "mode_info": {"mode"},
    "replica_info": {"replica"},
    "build_info": {"version", "python"},
}
"""Every metric of ours, a histogram by its buckets, with the names of its labels."""


COUNTED = (
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
    "cause_permanent",
    "episode_spent",
    "refused_twice",
    "forbidden",
)
"""Every reason that `retry_suppressions_total` counts."""


class FixedClock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


class Page:
    """The metrics after some events."""

    def __init__(self, *events: Event) -> None:
        self.condition = Condition()
        self.metrics = Metrics(FixedClock(), self.condition)
        self.tell(*events)

    def tell(self, *events: Event) -> None:
        for event in events:
            self.condition(event)
            self.metrics(event)

    def samples(self) -> Iterator[Sample]:
        body = b"".join(self.metrics.render())
        for family in text_string_to_metric_families(body.decode()):
            yield from family.samples

    def values(self, name: str) -> dict[tuple[str, ...], float]:
        """The samples of a metric by their labels' values, in the order of the labels' names."""
        return {
            tuple(value for _, value in sorted(sample.labels.items())): sample.value
            for sample in self.samples()
            if sample.name == PREFIX + name
        }


def changed(target: Target, *attempts: Attempt) -> TargetChanged:
    return TargetChanged(target=target, policy=POLICY, attempts=attempts)


def test_the_names_and_their_labels_are_those_that_people_were_promised() -> None:
    shown = [event for event in QUIET if not isinstance(event, TargetForgotten)]
    found = {
        sample.name.removeprefix(PREFIX): set(sample.labels)
        for sample in Page(*LOGGED.values(), BecameActive(), *shown).samples()
        if sample.name.startswith(PREFIX) and not sample.name.endswith(("_sum", "_count"))
    }
    assert found == CONTRACT


def test_the_current_picture_of_a_target() -> None:
    page = Page(changed(TARGET, refailed(ago(hours=1))))
    assert page.values("deployment_status") == {("m1", "BUILD_FAILED"): 1}
    assert page.values("target_state") == {("m1", "waiting"): 1}
    assert page.values("target_info") == {("d1", "m1", "llama-dev", ""): 1}
    assert page.values("retry_suppressed") == {("m1", "backoff"): 1}
    assert page.values("failing_since_timestamp_seconds") == {("m1",): ago(days=1).timestamp()}
    assert page.values("status_since_timestamp_seconds") == {("m1",): ago(days=1).timestamp()}
    assert page.values("next_attempt_timestamp_seconds") == {("m1",): UNTIL.timestamp()}
    assert page.values("retry_budget_remaining") == {("m1", "episode"): 3, ("m1", "window"): 5}
    page.tell(changed(healthy()))
    assert page.values("deployment_status") == {("m1", "ACTIVE"): 1}
    assert page.values("retry_suppressed") == {}


def test_what_the_fleet_may_still_send() -> None:
    page = Page(changed(TARGET))
    assert page.values("fleet_retry_budget_remaining") == {}
    used = replace(FLEET, in_flight=3, sent=(ago(seconds=5),), charged=(ago(hours=1),) * 12)
    page.tell(FleetSeen(fleet=used))
    left = {("minute",): 3, ("in_flight",): 7, ("window",): 38}
    assert page.values("fleet_retry_budget_remaining") == left
    page.tell(BecameStandby(), FleetSeen(fleet=used))
    assert page.values("fleet_retry_budget_remaining") == {}


def test_what_there_is_not_is_absent_and_never_0() -> None:
    page = Page(changed(Target("m1")))
    for name in (
        "deployment_status",
        "failing_since_timestamp_seconds",
        "next_attempt_timestamp_seconds",
        "last_observed_timestamp_seconds",
        "last_sweep_timestamp_seconds",
        "ledger_created_timestamp_seconds",
        "api_up",
        "api_key_accepted",
        "breaker_open",
    ):
        assert page.values(name) == {}, name
    assert page.values("target_state") == {("m1", "unknown"): 1}


def test_no_label_has_what_some_readers_take_for_the_end_of_a_line() -> None:
    page = Page(changed(replace(TARGET, status="a\u2028b\x85c\u2029d")))
    assert page.values("deployment_status") == {("m1", r"a\u2028b\x85c\u2029d"): 1}


def test_what_others_wrote_stays_inside_its_label() -> None:
    hostile = 'a"} 1\n# evil\\ \\n'
    target = replace(
        TARGET, status=hostile, name=hostile, deployment=DeploymentRef(hostile, ago(days=2))
    )
    page = Page(TeamsSeen(teams={"m1": hostile}), changed(target))
    assert page.values("deployment_status") == {("m1", hostile): 1}
    assert page.values("target_info") == {(hostile, "m1", hostile, hostile): 1}


def test_a_team_is_that_which_was_last_seen_and_none_where_it_is_not_known() -> None:
    one, other = changed(TARGET), changed(replace(TARGET, model_id="m2"))
    page = Page(one, other, TeamsSeen(teams={"m1": "a", "m2": "b"}), TeamsSeen(teams={"m1": "c"}))
    teams = {labels[1]: labels[3] for labels in page.values("target_info")}
    assert teams == {"m1": "c", "m2": ""}


def test_more_targets_than_a_piece_are_all_there_once() -> None:
    page = Page(*(changed(replace(TARGET, model_id=f"m{number}")) for number in range(1200)))
    assert len(page.values("target_state")) == 1200
    assert len(page.values("retry_budget_remaining")) == 2400


def test_the_later_of_a_pause_of_its_own_and_of_everybodys() -> None:
    soon, later = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    page = Page(*(changed(replace(TARGET, model_id=each)) for each in ("m1", "m2", "m3")))

    def paused(*ends: tuple[str | None, datetime]) -> dict[tuple[str, ...], float]:
        latest_first = sorted(ends, key=lambda end: end[1], reverse=True)
        pauses = tuple(
            Action(NOW, ActionKind.PAUSE, model_id, "ann@host", "", until=until)
            for model_id, until in latest_first
        )
        page.tell(PausesSeen(pauses=pauses))
        states = page.values("paused")
        expiries = page.values("pause_expiry_timestamp_seconds")
        assert {key for key, state in states.items() if state} == set(expiries)
        return expiries

    assert paused(("m1", soon), ("m2", NOW)) == {("m1",): soon.timestamp()}
    assert paused(("m1", later), ("m1", soon), ("m2", soon), (None, soon)) == {
        ("m1",): later.timestamp(),
        ("m2",): soon.timestamp(),
        ("m3",): soon.timestamp(),
    }
    assert paused(("m1", soon), (None, later)) == {
        (each,): later.timestamp() for each in ("m1", "m2", "m3")
    }
    assert paused() == {}


def test_the_state_follows_the_pauses_before_the_next_look() -> None:
    waiting = failing(decision=Decision(DecisionKind.WAIT, DecisionReason.BREAKER_OPEN))
    page = Page(changed(waiting))
    until = NOW + timedelta(hours=1)
    pause = Action(NOW, ActionKind.PAUSE, waiting.model_id, "ann@host", "", until=until)
    page.tell(PausesSeen(pauses=(pause,)))
    assert page.values("target_state") == {(waiting.model_id, "paused"): 1}
    held = Decision(DecisionKind.WAIT, DecisionReason.PAUSED, until)
    page.tell(changed(replace(waiting, decision=held, paused_until=until)))
    page.tell(PausesSeen(pauses=()))
    assert page.values("target_state") == {(waiting.model_id, "waiting"): 1}


def test_a_forgotten_target_leaves_no_series() -> None:
    page = Page(changed(TARGET), LOGGED["deployment_failing"])
    page.tell(TargetForgotten(model_id="m1"), TargetForgotten(model_id="unheard-of"))
    body = b"".join(page.metrics.render())
    assert b"m1" not in body


def test_an_answer_that_comes_after_its_target_was_forgotten_brings_nothing_back() -> None:
    page = Page(changed(TARGET), TargetForgotten(model_id="m1"))
    page.tell(RetryAnswered(target=TARGET, attempt=ATTEMPT))
    assert page.values("retry_attempts_total") == {}


def test_a_check_that_ends_after_its_replica_stood_down_exports_nothing() -> None:
    page = Page(BecameActive(), changed(TARGET, ATTEMPT))
    assert page.values("target_state")
    page.tell(
        BecameStandby(),
        TargetForgotten(model_id="m1"),
        changed(TARGET, ATTEMPT),
        CheckDone(model_id="m1", result="failing", observed_at=NOW),
        RetryAnswered(target=TARGET, attempt=ATTEMPT),
    )
    assert not [each for each in page.samples() if "m1" in each.labels.values()]
    page.tell(BecameActive(), changed(TARGET, ATTEMPT))
    assert page.values("target_state")


def test_all_outcomes_appear_with_the_first_episode_and_count() -> None:
    page = Page(changed(healthy()))
    assert page.values("retry_attempts_total") == {}
    page.tell(changed(TARGET))
    assert page.values("retry_attempts_total") == {("m1", outcome): 0 for outcome in OUTCOMES}
    for outcome in OUTCOMES:
        page.tell(RetryAnswered(target=TARGET, attempt=an_attempt(outcome)))
    page.tell(changed(TARGET))
    assert page.values("retry_attempts_total") == {("m1", outcome): 1 for outcome in OUTCOMES}


@pytest.mark.parametrize(
    ("decision", "suppressed"),
    [
        (Decision(DecisionKind.RETRY), None),
        (Decision(DecisionKind.WAIT, DecisionReason.ATTEMPT_UNDER_WAY), None),
        (Decision(DecisionKind.NOTHING, DecisionReason.STANDING_FAILURE), "standing_failure"),
        (GAVE_UP, "episode_spent"),
    ],
)
def test_why_a_failing_target_is_left_alone(decision: Decision, suppressed: str | None) -> None:
    page = Page(changed(replace(TARGET, decision=decision)))
    assert page.values("retry_suppressed") == ({("m1", suppressed): 1} if suppressed else {})


def test_reasons_are_there_from_the_start_and_count_when_they_set_in() -> None:
    page = Page()
    assert page.values("retry_suppressions_total") == {(reason,): 0 for reason in COUNTED}
    page.tell(LOGGED["retry_suppressed"], LOGGED["gave_up"])
    counted = {key: n for key, n in page.values("retry_suppressions_total").items() if n}
    assert counted == {("window_spent",): 1, ("episode_spent",): 1}
    unlisted = replace(TARGET.decision, reason=DecisionReason.LEDGER_UNAVAILABLE)
    page.tell(RetrySuppressed(target=TARGET, decision=unlisted))
    assert page.values("retry_suppressions_total")[("ledger_unavailable",)] == 1


def test_episodes_by_how_they_ended() -> None:
    page = Page()
    assert set(page.values("episodes_total").values()) == {0}
    for name in ("recovered", "episode_superseded", "deployment_replaced", "target_missing"):
        page.tell(LOGGED[name])
    unknown = {key: n for key, n in page.values("episodes_total").items() if "unknown" in key}
    assert set(unknown.values()) == {1}
    page.tell(TargetMissing(target=TARGET, episode=None))
    assert sum(page.values("episodes_total").values()) == 4
    assert page.values("recovery_seconds_sum") == {(): 420}


def test_failures_retries_and_ends_by_their_cause() -> None:
    found = Explanation(Cause.NETWORK, "mark", NOW)
    target = replace(TARGET, episode=an_episode(explanation=found))
    page = Page()
    page.tell(
        LOGGED["cause_found"],
        RetryAnswered(target=target, attempt=an_attempt(outcome=Outcome.ACCEPTED)),
        RetryAnswered(target=target, attempt=an_attempt(outcome=Outcome.THROTTLED)),
        Recovered(
            target=target,
            episode=an_episode(explanation=found),
            after=timedelta(minutes=7),
            attempts_used=1,
        ),
    )
    for name in ("failures_total", "retries_by_cause_total"):
        assert page.values(name)[("network",)] == 1
        assert sum(page.values(name).values()) == 1
    ended = {key for key, number in page.values("episodes_total").items() if number}
    (labels,) = ended
    assert set(labels) == {"recovered", "network"}


def test_a_target_that_could_not_be_recorded_keeps_its_attempts() -> None:
    page = Page(changed(TARGET, refailed(ago(hours=1))))
    waiting = Decision(DecisionKind.WAIT, DecisionReason.LEDGER_UNAVAILABLE)
    page.tell(TargetUnrecorded(target=replace(TARGET, decision=waiting)))
    assert page.values("retry_suppressed") == {("m1", "ledger_unavailable"): 1}
    assert page.values("retry_budget_remaining")[("m1", "episode")] == 3


def test_checks() -> None:
    page = Page(changed(healthy()))
    page.tell(
        CheckStarted(model_id="m1", lateness=timedelta(seconds=2)),
        CheckDone(model_id="m1", result="healthy", observed_at=NOW),
        CheckDone(model_id="m1", result="error", observed_at=None),
        SweepDone(at=NOW, first=False),
    )
    checks = page.values("checks_total")
    assert (checks[("healthy",)], checks[("error",)], checks[("failing",)]) == (1, 1, 0)
    assert page.values("check_lateness_seconds_sum") == {(): 2}
    assert page.values("last_observed_timestamp_seconds") == {("m1",): NOW.timestamp()}
    assert page.values("last_sweep_timestamp_seconds") == {(): NOW.timestamp()}


def test_a_record_older_than_the_last_check_does_not_turn_the_time_back() -> None:
    recorded = healthy(observed_at=ago(hours=10))
    page = Page(changed(recorded))
    page.tell(
        CheckDone(model_id="m1", result="healthy", observed_at=ago(minutes=1)),
        changed(replace(recorded, missing_since=NOW)),
    )
    assert page.values("last_observed_timestamp_seconds") == {("m1",): ago(minutes=1).timestamp()}


@pytest.mark.parametrize("code", ["200", "404", "429", "401", "timeout", "invalid_body"])
def test_the_requests(code: str) -> None:
    page = Page(ApiRequested(operation="retry", code=code, duration_seconds=0.2))
    assert page.values("api_requests_total") == {(code, "retry"): 1}
    assert page.values("api_request_duration_seconds_sum") == {("retry",): 0.2}


@pytest.mark.parametrize(
    ("name", "lost", "back"),
    [
        ("api_up", "api_down", "api_recovered"),
        ("api_key_accepted", "auth_failed", "auth_recovered"),
    ],
)
def test_the_api(name: str, lost: str, back: str) -> None:
    page = Page(ApiRequested(operation="retry", code="503", duration_seconds=0.2))
    assert page.values(name) == {}
    page.tell(ApiRequested(operation="retry", code="200", duration_seconds=0.2))
    assert page.values(name) == {(): 1}
    page.tell(LOGGED[lost], ApiRequested(operation="retry", code="200", duration_seconds=0.2))
    assert page.values(name) == {(): 0}
    page.tell(LOGGED[back])
    assert page.values(name) == {(): 1}


def test_the_breaker() -> None:
    page = Page(BreakerSeen(open=False))
    assert page.values("breaker_open") == {(): 0}
    page.tell(BreakerSeen(open=True))
    assert page.values("breaker_open") == {(): 1}


def test_the_ledger_and_what_runs() -> None:
    page = Page(LedgerOpened(created_at=NOW), LOGGED["started"])
    assert page.values("ledger_up") == {(): 1}
    assert page.values("ledger_created_timestamp_seconds") == {(): NOW.timestamp()}
    assert page.values("mode_info") == {("retry",): 1}
    assert [version for _, version in page.values("build_info")] == ["1.2.3"]
    page.tell(LedgerLost(error="gone"))
    assert page.values("ledger_up") == {(): 0}
    page.tell(LedgerBack())
    assert page.values("ledger_up") == {(): 1}
    assert page.values("ledger_went_back_total") == {(): 0}
    page.tell(LedgerWentBack(put_back=0))
    assert page.values("ledger_went_back_total") == {(): 1}


def test_the_number_of_watched_models_is_the_active_replicas() -> None:
    page = Page()
    assert page.values("watched_targets") == {}
    page.tell(BecameActive(), WatchingSeen(count=0))
    assert page.values("watched_targets") == {(): 0}
    page.tell(WatchingSeen(count=2))
    assert page.values("watched_targets") == {(): 2}
    page.tell(BecameStandby())
    assert page.values("watched_targets") == {}


def test_bugs_are_counted() -> None:
    page = Page()
    assert page.values("internal_errors_total") == {(): 0}
    page.tell(InternalError(model_id=None, error=ValueError("a bug")))
    assert page.values("internal_errors_total") == {(): 1}


def test_there_are_no_series_of_creation_times_and_there_are_those_of_the_process() -> None:
    body = b"".join(Page(*LOGGED.values()).metrics.render())
    assert b"_created{" not in body
    assert b"_created " not in body
    for name in (b"process_cpu_seconds_total", b"python_info", b"python_gc_collections_total"):
        assert name in body


def everything() -> Metrics:
    """With a value of each metric, and a name that has to be escaped."""
    shown = [event for event in QUIET if not isinstance(event, TargetForgotten)]
    page = Page(*LOGGED.values(), BecameActive(), *shown)
    page.tell(changed(replace(TARGET, model_id="m2", name='a "b"\\\n')))
    return page.metrics


def test_both_formats_say_the_same() -> None:
    metrics = everything()
    plain = text_string_to_metric_families(b"".join(metrics.render()).decode())
    other = openmetrics.text_string_to_metric_families(  # type: ignore[no-untyped-call]
        b"".join(metrics.render_openmetrics()).decode()
    )
    in_plain, in_other = (
        {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
            if sample.name.startswith(PREFIX)
        }
        for families in (plain, other)
    )
    assert in_plain == in_other
    assert len({name for name, *_ in in_plain}) > len(CONTRACT)


def test_no_two_families_have_one_name_in_openmetrics() -> None:
    heads = [
        line
        for line in b"".join(everything().render_openmetrics()).splitlines()
        if line.startswith(b"# TYPE ")
    ]
    names = [line.split()[2] for line in heads]
    assert len(names) == len(set(names))


def test_each_format_has_its_content_type() -> None:
    plain, other = everything().formats
    assert plain.startswith("text/plain; version=0.0.4")
    assert other.startswith("application/openmetrics-text; version=1.0.0")


@pytest.mark.skipif(
    shutil.which("promtool") is None and "CI" not in os.environ, reason="promtool is not installed"
)
def test_promtool_has_nothing_to_say() -> None:
    body = b"".join(everything().render())
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=body, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
