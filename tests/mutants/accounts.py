"""Broken watchdogs that charge too little for what they sent."""

from dataclasses import replace
from typing import Any

from sqlalchemy import update

from tests.mutants import seams
from tests.mutants.mutant import ATTEMPT, LEDGER, OPERATE, RESERVATION, mutant
from tests.mutants.replacing import Change
from watchdog.domain.limits import RESERVATION_TTL
from watchdog.domain.records import Attempt, Outcome
from watchdog.domain.step import Transition
from watchdog.engine.ports import AnswerLost, Denied, NotFound, NotSent, Rejected
from watchdog.ledger.attempt_values import attempt_values
from watchdog.ledger.schema import attempts as attempts_table

EACH_ANSWER = f"{ATTEMPT}test_an_answer_that_ends_an_attempt"
ONE_PENDING = f"{LEDGER}test_a_target_has_one_pending_attempt_at_most"


def _charges(**changed: bool) -> Change:
    return seams.charged(lambda right, outcome: changed.get(outcome.value, right(outcome)))


def _told_as(told: type[Exception], *errors: type[Exception]) -> Change:
    """Retries that fail in one way are reported as failed in another way."""

    async def retry(right: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await right(*args, **kwargs)
        except errors as error:
            raise told(str(error), code=error.code) from error  # type: ignore[call-arg, attr-defined]

    return seams.post_retry(retry)


def _recorded_as(outcome: Outcome | None, **values: Any) -> Change:
    """An attempt whose outcome is unknown is recorded with another outcome or other values."""

    def record_answer(tx: Any, attempt: Attempt) -> Any:
        if attempt.outcome is Outcome.UNKNOWN:
            attempt = replace(attempt, outcome=outcome or attempt.outcome, **values)
        return tx.attempts.record_answer(attempt)

    return seams.ledger("attempts.record_answer", record_answer)


def _second_pending(tx: Any, attempt: Attempt) -> None:
    """It resolves the first one as unknown, so that the ledger takes a second one."""
    for other in tx.attempts.pending():
        if other.model_id == attempt.model_id:
            tx.attempts.record_answer(replace(other, outcome=Outcome.UNKNOWN))
    tx.attempts.add(attempt)


def _overwrite(right: Any, tx: Any, attempt: Attempt) -> bool:
    found = attempts_table.c.id == attempt.id
    change = update(attempts_table).where(found).values(attempt_values(attempt))
    tx._connection.execute(change)  # noqa: SLF001 - nothing public overwrites a row
    return True


async def _accepted(right: Any, *args: Any, **kwargs: Any) -> Any:
    return replace(await right(*args, **kwargs), retried=True)


ACCOUNTS = (
    mutant(
        "what is lost is not charged",
        "Charged to episode and window: pending accepted refused unknown.",
        _charges(unknown=False),
        caught_by="tests/unit/test_limits.py",
    ),
    mutant(
        "what is pending is not charged",
        "Charged to episode and window: pending accepted refused unknown.",
        _charges(pending=False),
        caught_by="tests/unit/test_limits.py",
    ),
    mutant(
        "a lost answer surely did nothing",
        "unknown (5xx, lost answer, a 2xx that is not strictly valid).",
        _told_as(NotSent, AnswerLost),
        caught_by=f"{ATTEMPT}test_what_was_lost_is_watched",
    ),
    mutant(
        "a 4xx surely did nothing",
        "refused (a 4xx other than 401, 403, 429).",
        _told_as(Denied, NotFound, Rejected),
        caught_by=EACH_ANSWER,
    ),
    mutant(
        "retried: false is taken for true",
        "accepted (retried strictly true). refused (retried: false).",
        seams.post_retry(_accepted),
        caught_by=f"{ATTEMPT}test_a_refusal_ends_an_attempt_with_its_reason",
    ),
    mutant(
        "a late answer replaces what is settled",
        "Resolution is conditional on pending; only the owner's real answer may replace unknown.",
        seams.sql_record_answer(_overwrite),
        caught_by=f"{LEDGER}test_an_answer_replaces_only_an_outcome_that_was_not_known",
    ),
    mutant(
        "a second pending takes the place of the first",
        "At most one pending per target.",
        seams.ledger("attempts.add", _second_pending),
        caught_by=ONE_PENDING,
    ),
    mutant(
        "nobody is alive",
        "Resolving a pending left behind: only its owner, or whoever knows the owner dead.",
        seams.knows_dead(lambda *_: True),
        caught_by=f"{RESERVATION}test_what_a_dead_owner_left_behind_is_unknown_and_the_others_are_left_alone",
    ),
    mutant(
        "what may still be sent is taken for left behind",
        "Resolving a pending left behind: after reservation_ttl, 30 s.",
        seams.ledger("attempts.of", lambda tx, *a, **k: _reserved_earlier(tx.attempts.of(*a, **k))),
        caught_by=f"{RESERVATION}test_a_check_resolves_what_was_left_behind_when_it_can_no_longer_be_sent",
    ),
    mutant(
        "what was left behind was never sent",
        "A crash anywhere leaves a pending row that is later resolved as unknown, and is charged.",
        _recorded_as(Outcome.ABANDONED),
        caught_by=f"{RESERVATION}test_what_a_dead_owner_left_behind_is_unknown_and_the_others_are_left_alone",
    ),
    mutant(
        "what was left behind was sent when it was reserved",
        "Every POST that may have been sent counts, by sent_at; the latest moment is the safe one.",
        seams.ledger(
            "attempts.record_answer",
            lambda tx, attempt: tx.attempts.record_answer(
                replace(attempt, sent_at=attempt.reserved_at)
            ),
        ),
        caught_by=f"{RESERVATION}test_what_was_left_behind_counts_from_the_latest_moment_at_which_it_was_sent",
    ),
    mutant(
        "an attempt ends when it is sent",
        "Under way: from the reservation until its end is seen.",
        seams.ledger(
            "attempts.of", lambda tx, *a, **k: _all_ended(tx.attempts.of(*a, **k), tx.now())
        ),
        caught_by=f"{OPERATE}test_what_is_under_way_cannot_be_reset",
    ),
    mutant(
        "our own retry is taken for a push",
        "Our retry never grants itself a fresh budget.",
        seams.named_in_answer(lambda right, target, *_: Transition(target)),
        caught_by=f"{RESERVATION}test_the_deployment_in_our_own_answer_is_no_push",
    ),
    mutant(
        "a reset keeps the window",
        "reset clears episode and window.",
        seams.reset_target(lambda right, target, at: _with_window(right(target, at), target)),
        caught_by=f"{OPERATE}test_a_reset_gives_an_exhausted_target_a_new_episode_and_a_new_window_once",
    ),
)


def _all_ended(attempts: Any, now: Any) -> Any:
    return tuple(replace(each, resolved_at=each.resolved_at or now) for each in attempts)


def _reserved_earlier(attempts: Any) -> Any:
    return tuple(replace(a, reserved_at=a.reserved_at - RESERVATION_TTL) for a in attempts)


def _with_window(step: Any, target: Any) -> Any:
    return replace(step, target=replace(step.target, window_since=target.window_since))
