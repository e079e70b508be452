"""Broken watchdogs that do not stop: for an operator, for the breaker, or for the API."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tests.mutants import seams
from tests.mutants.mutant import ATTEMPT, OPERATE, RESERVATION, mutant
from watchdog.domain.breaker import CanaryResult
from watchdog.domain.records import Target
from watchdog.domain.step import Happening

BREAKER = "tests/engine/test_breaker.py::"
JUDGES = "tests/engine/test_breaker_judges.py::"
HOLDS = "tests/integration/test_baseten_api_holds.py::"

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def _forced_anyway(right: Any, target: Any, attempts: Any, fleet: Any, *args: Any, **k: Any) -> Any:
    if k.get("forced"):
        fleet = replace(fleet, in_flight=0, sent=(), charged=(), hold=None, breaker=None)
    return right(target, attempts, fleet, *args, **k)


OPERATORS = (
    mutant(
        "a pause does not hold",
        "pause: an operator stops the retries, with an expiry and a note.",
        seams.is_paused(lambda *_: False),
        seams.ledger("actions.pauses", lambda tx: ()),
        caught_by=f"{OPERATE}test_a_pause_holds_and_its_end_lets_go",
    ),
    mutant(
        "a pause after the reservation stops nothing",
        "A pause also stops what is reserved and not yet sent.",
        seams.ledger("actions.pauses", lambda tx: ()),
        caught_by=f"{OPERATE}test_a_pause_between_the_reservation_and_the_post_stops_the_post",
    ),
    mutant(
        "force passes a newer pause",
        "A pause also stops what is reserved and not yet sent.",
        seams.ledger(
            "actions.pauses",
            lambda tx: [replace(each, at=_LONG_AGO) for each in tx.actions.pauses()],
        ),
        caught_by=f"{OPERATE}test_a_forced_attempt_obeys_a_pause_that_is_newer_than_the_order",
    ),
    mutant(
        "force passes the fleet's limits",
        "--force ignores the model's own limits, never the fleet's.",
        seams.decide(_forced_anyway),
        caught_by=f"{OPERATE}test_a_forced_attempt_obeys_the_fleets_limits_and_a_target_that_does_not_fail",
    ),
)


def _as_if_closed(right: Any, target: Any, attempts: Any, fleet: Any, *args: Any, **k: Any) -> Any:
    return right(target, attempts, replace(fleet, breaker=None), *args, **k)


def _any_failure_is_new(right: Any, target: Target, attempts: Any, seen: Any, *args: Any) -> Any:
    step = right(target, attempts, seen, *args)
    if Happening.OPENED not in step.happened:
        return step
    return replace(step, target=replace(step.target, broke_at=seen.at))


def _passed(right: Any, *args: Any, **kwargs: Any) -> Any:
    return right(*args, **kwargs) and CanaryResult.PASSED


MASS_FAILURE = f"{BREAKER}test_a_mass_failure_opens_it_and_nothing_is_sent_but_canaries"

BROKEN_BREAKERS = (
    mutant(
        "it never opens",
        "It opens at min_failures of them.",
        seams.breaker_condition_until(lambda *_: None),
        caught_by=MASS_FAILURE,
    ),
    mutant(
        "it stops nobody",
        "Open: no retries.",
        seams.decide(_as_if_closed),
        caught_by=MASS_FAILURE,
    ),
    mutant(
        "the same target is the canary each time",
        "One canary, the failing target that was canary least recently.",
        seams.ledger("breaker.canary_times", lambda tx: {}),
        caught_by=MASS_FAILURE,
    ),
    mutant(
        "a canary without a cooldown",
        "After cooldown since the condition last held: one canary.",
        seams.canary_due_at(
            lambda right, opening, last, rules: (
                (due := right(opening, last, rules)) and due - rules.cooldown
            )
        ),
        caught_by=MASS_FAILURE,
    ),
    mutant(
        "any end of the canary closes it",
        "Passed: observed healthy. Anything else, or stuck_after: failed.",
        seams.canary_result(_passed),
        caught_by=f"{BREAKER}test_the_canary_that_is_stuck_has_failed",
    ),
    mutant(
        "the failures before the closing count on",
        "Since the last closing.",
        seams.breaker_counts_from(lambda right, _, rules, now: right(None, rules, now)),
        caught_by=f"{BREAKER}test_the_failures_before_the_closing_count_no_more",
    ),
    mutant(
        "standing failures open it",
        "A target's first observation ever counts in neither.",
        seams.observe(_any_failure_is_new),
        caught_by=f"{BREAKER}test_standing_failures_do_not_open_it",
    ),
    mutant(
        "it is forgotten",
        "Openings, canaries and closings are rows of the ledger.",
        seams.ledger("breaker.opening", lambda tx: None),
        caught_by=f"{BREAKER}test_an_open_breaker_survives_a_restart_with_its_canary",
    ),
)

WHO_JUDGES = (
    mutant(
        "any command judges the breaker",
        "Without a living daemon, a check --retry that covers every watched target judges.",
        seams.may_judge(lambda *_: True),
        caught_by=f"{JUDGES}test_a_narrowed_command_leaves_open_what_passes_over_all_opened",
    ),
    mutant(
        "no command judges the breaker",
        "Without a living daemon, a check --retry that covers every watched target judges.",
        seams.may_judge(lambda _, tx, settings, since: settings.is_daemon),
        caught_by=f"{JUDGES}test_passes_of_a_command_open_it_and_send_one_canary_at_a_time",
    ),
    mutant(
        "a command does not mind the daemon",
        "The active daemon judges.",
        seams.living_others(lambda *_: []),
        caught_by=f"{JUDGES}test_a_command_beside_a_daemon_leaves_the_breaker_as_it_is",
    ),
    mutant(
        "a replica that is no longer the active one judges",
        "The active daemon judges.",
        seams.living_others(lambda *_: []),
        caught_by=f"{JUDGES}test_a_daemon_beside_another_active_one_obeys",
    ),
    mutant(
        "those that opened it are forgotten while it is open",
        "Without a living daemon, a check --retry that covers every watched target judges.",
        seams.breaker_needed_since(lambda right, _, now: right(None, now)),
        caught_by=f"{JUDGES}test_commands_that_cannot_see_the_api_do_not_hide_who_opened_it",
    ),
    mutant(
        "what others recorded closes it",
        "None eligible: closes.",
        seams.may_be_retried(lambda *_: []),
        caught_by=f"{JUDGES}test_what_a_command_with_other_rules_recorded_does_not_close_it",
    ),
    mutant(
        "an opening that nobody judges stays",
        "An opening that nobody could judge for 24 h lapses, with an event.",
        seams.breaker_lapsed(lambda *_: False),
        caught_by=f"{JUDGES}test_a_process_that_may_not_judge_closes_an_opening_that_was_not_judged_for_a_day",
    ),
)

HOLDING = (
    mutant(
        "a hold is not asked for before reserving",
        "Any hold of the API is found before reserving.",
        seams.retry_hold(lambda *_: None),
        caught_by=f"{ATTEMPT}test_a_hold_that_came_after_the_check_is_found_before_reserving",
    ),
    mutant(
        "a 429 holds in one process only",
        "429: the operation is held for retry_after.",
        seams.ledger("meta.set", lambda *_: None),
        caught_by=f"{RESERVATION}test_the_hold_of_a_429_applies_in_other_processes_too",
    ),
    mutant(
        "a held operation is sent",
        "429: the operation is held for retry_after.",
        seams.gate_hold(lambda *_: None),
        caught_by=f"{HOLDS}test_a_held_operation_is_not_sent_and_the_others_are",
    ),
    mutant(
        "a refused key is used on",
        "401: everything is held, one probe a minute.",
        seams.key_refused(lambda *_: None),
        caught_by=f"{HOLDS}test_401_holds_everything_with_one_probe_a_minute_until_the_key_is_good",
    ),
)
