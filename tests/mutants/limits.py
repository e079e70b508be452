"""Watchdogs that retry too often or too soon: the limits, the waits, and the clock."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

from tests.mutants import seams
from tests.mutants.mutant import ATTEMPT, ENGINE, RESERVATION, mutant
from tests.mutants.replacing import Change
from watchdog.domain.backoff import backoff
from watchdog.domain.records import DecisionKind, DecisionReason, FleetLimits, Policy, Standing
from watchdog.engine.settings import Settings

LIMITS = f"{RESERVATION}test_each_limit_is_computed_anew_and_nothing_is_reserved_beyond_it"
JUMPS = "tests/engine/test_clocks.py::"
BACKS_OFF = f"{ENGINE}test_it_backs_off_from_the_re_failure_and_gives_up_when_the_episode_is_spent"


def _one_more(name: str) -> Change:
    def changed(right: Settings) -> Settings:
        more: Any = replace(right.limits, **{name: getattr(right.limits, name) + 1})
        return replace(right, limits=more)

    return seams.settings(changed)


def _one_more_each(name: str) -> Change:
    def changed(right: Policy) -> Policy:
        more: Any = {name: getattr(right, name) + 1}
        return replace(right, **more)

    return seams.policies(changed)


def _usage(**values: Any) -> Change:
    return seams.ledger("usage.of_fleet", lambda tx, **k: replace(tx.usage.of_fleet(**k), **values))


def _retries_despite(reason: DecisionReason) -> Change:
    def decide(right: Any, *args: Any, **kwargs: Any) -> Any:
        decision = right(*args, **kwargs)
        if decision.reason is reason:
            return replace(decision, kind=DecisionKind.RETRY, reason=None, until=None)
        return decision

    return seams.decide(decide)


LIMITED = (
    mutant(
        "an attempt too many in an episode",
        "Episode: max_attempts.",
        _one_more_each("max_attempts"),
        caught_by=LIMITS,
    ),
    mutant(
        "an attempt too many in the window",
        "Window: max_attempts_per_window in window.",
        _one_more_each("max_attempts_per_window"),
        caught_by=LIMITS,
    ),
    *(
        mutant(
            f"one more than fleet.{each.name}",
            f"Fleet: {each.name}.",
            _one_more(each.name),
            caught_by=LIMITS,
        )
        for each in fields(FleetLimits)
    ),
    mutant(
        "what was sent is not read",
        "All computed inside the reservation from the ledger.",
        _usage(sent=()),
        caught_by=LIMITS,
    ),
    mutant(
        "what was charged is not read",
        "All computed inside the reservation from the ledger.",
        _usage(charged=()),
        caught_by=LIMITS,
    ),
    mutant(
        "what is in flight is not read",
        "All computed inside the reservation from the ledger.",
        _usage(in_flight=0),
        caught_by=LIMITS,
    ),
    mutant(
        "earlier episodes are not read",
        "A recovery does not clear the window.",
        seams.ledger("attempts.of", lambda tx, target, **_: tx.attempts.of(target, since=tx.now())),
        caught_by=LIMITS,
    ),
    mutant(
        "no first delay",
        "The first wait of an episode: a person may be pushing a fix right now.",
        seams.policies(lambda right: replace(right, first_delay=timedelta(0))),
        caught_by=f"{ENGINE}test_a_failed_build_is_retried_after_the_first_delay_and_watched_until_it_recovers",
    ),
    mutant(
        "backoff from the POST",
        "Re-failure, from which the backoff counts: the first failing observation.",
        seams.backoff_due(lambda *args: _due_after_the_post(*args)),
        caught_by=BACKS_OFF,
    ),
    mutant(
        "refused again and again",
        "Two refused in a row: exhausted.",
        _retries_despite(DecisionReason.REFUSED_TWICE),
        caught_by="tests/unit/test_policy.py::test_what_a_target_and_its_attempts_call_for[refused-twice]",
    ),
    mutant(
        "a standing failure is retried",
        "With ignore, a target that is already failing when first observed is left alone.",
        seams.policies(lambda right: replace(right, standing=Standing.RETRY)),
        caught_by=f"{ENGINE}test_retry_mode_leaves_standing_failures_alone_when_configured_so",
    ),
    mutant(
        "statuses never lag",
        "Re-failure: else the first failing one later than POST + timeout + recovery_interval.",
        seams.settings(lambda right: replace(right, timeout=-right.recovery_interval)),
        caught_by=f"{ATTEMPT}test_a_status_that_is_still_shown_after_the_post_is_no_re_failure",
    ),
)


def _due_after_the_post(
    right: Any, failing_since: Any, attempts: Any, policy: Policy, cause: Any = None
) -> Any:
    due, reason = right(failing_since, attempts, policy, cause)
    sent = [attempt for attempt in attempts if attempt.sent_at is not None]
    if reason is not DecisionReason.BACKOFF or not sent:
        return due, reason
    number = sum(attempt.outcome.charged for attempt in sent)
    return sent[-1].sent_at + backoff(sent[-1].episode_id, number, policy), reason


CLOCKS = (
    mutant(
        "the clock follows the wall",
        "A step of the wall clock moves nothing.",
        seams.clock_now(lambda right, self: self._wall()),
        caught_by="tests/unit/test_clock.py::test_a_step_of_the_wall_clock_moves_nothing_and_is_reported_once",
    ),
    mutant(
        "a clock set back is waited for",
        "A step while the daemon is down is believed.",
        seams.ledger("clamp_future", lambda tx: None),
        caught_by=f"{ENGINE}test_a_clock_set_back_across_a_restart_delays_nothing_and_forgets_nothing",
    ),
    mutant(
        "what lies ahead does not count",
        "Rows from the future count as at the start of the process.",
        seams.room_at(
            lambda right, times, limit, span, now, **more: right(
                [time for time in times if time <= now], limit, span, now, **more
            )
        ),
        caught_by="tests/unit/test_limits.py",
    ),
    mutant(
        "what lies ahead counts as now for ever",
        "Rows from the future count as at the start of the process.",
        seams.counts_at(
            lambda right, at, now, **more: right(at, now, **more | {"ahead_since": None})
        ),
        caught_by=f"{JUMPS}test_a_day_back_while_it_was_down_stops_the_fleet_for_a_minute_only",
    ),
    mutant(
        "the ledger's time alone",
        "It leaves a window only when the ledger's time and the present look's Date both say so.",
        seams.counts_at(lambda right, at, now, **more: right(at, now, **more | {"date": None})),
        caught_by=f"{JUMPS}test_a_jump_while_it_runs_frees_neither_the_minute_nor_the_window",
    ),
    mutant(
        "commands go by their own clock",
        "One clock for each ledger, for commands too.",
        seams.daemons_clock(lambda right, self: None),
        caught_by="tests/integration/test_ledger_clock.py",
    ),
)
