"""Watchdogs that send what they should not: the order of an attempt, the look before the POST, what
is asked at the last moment, and the fences."""

import asyncio
from dataclasses import replace
from typing import Any

from tests.mutants import seams
from tests.mutants.mutant import ATTEMPT, ENGINE, LEDGER, OPERATE, RESERVATION, mutant
from tests.mutants.replacing import Change
from watchdog.domain.records import Attempt, Target
from watchdog.engine.ports import AnswerLost, ApiError, Deployment, LedgerUnavailable

RELOAD = "tests/engine/test_reload.py::"
API = "tests/contract/test_baseten_api.py::"


def _look_again(blend: Any, *, blind: bool = False) -> Change:
    """Another look before the POST: `blend` makes from it, and from the look of the last check, the
    answer that is believed. With `blind`, an error counts as the answer of the last check."""
    checked: dict[str, Deployment] = {}

    async def get_deployment(right: Any, self: Any, model_id: str, *, urgent: bool = False) -> Any:
        try:
            seen = await right(self, model_id, urgent=urgent)
        except ApiError:
            if not (urgent and blind):
                raise
            return checked[model_id]
        if urgent:
            return blend(checked[model_id], seen)
        checked[model_id] = seen
        return seen

    return seams.get_deployment(get_deployment)


def _written_behind() -> tuple[Change, Change]:
    """Reservations are kept in memory, and written together with the answer."""
    reserved: dict[str, Attempt] = {}

    def add_attempt(tx: Any, attempt: Attempt) -> None:
        reserved[attempt.id] = attempt

    def record_answer(tx: Any, attempt: Attempt) -> Any:
        if attempt.id in reserved:
            tx.attempts.add(reserved.pop(attempt.id))
        return tx.attempts.record_answer(attempt)

    return seams.ledger("attempts.add", add_attempt), seams.ledger(
        "attempts.record_answer", record_answer
    )


async def _asked_again(right: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        return await right(*args, **kwargs)
    except AnswerLost:
        return await right(*args, **kwargs)


async def _nothing_hinders(*_: Any, **__: Any) -> None:
    return None


async def _does_not_wait(right: Any, self: Any) -> None:
    await asyncio.sleep(0)


async def _made_up_for(right: Any, self: Any, work: Any) -> Any:
    """While the ledger does not answer, its last known state is used."""
    try:
        return await right(self, work)
    except LedgerUnavailable as error:
        self.fail_with = None
        result = await right(self, work)
        self.fail_with = error
        return result


ORDER = (
    mutant(
        "recorded after the POST",
        "Write ahead: reserve the attempt durably, look again, POST once, record the outcome.",
        *_written_behind(),
        caught_by=f"{ATTEMPT}test_what_is_sent_was_recorded_before",
    ),
    mutant(
        "no look again",
        "Look again: a fresh GET.",
        _look_again(lambda checked, seen: checked),
        caught_by=f"{ATTEMPT}test_another_status_at_the_second_look_is_recorded_and_nothing_is_sent",
    ),
    mutant(
        "the look again does not compare the deployment",
        "Look again: still failing, same deployment, else abandoned.",
        _look_again(lambda checked, seen: replace(seen, ref=checked.ref)),
        caught_by=f"{ATTEMPT}test_another_status_at_the_second_look_is_recorded_and_nothing_is_sent[another-deployment]",
    ),
    mutant(
        "the look again does not compare the status",
        "Look again: still failing, same deployment, else abandoned.",
        _look_again(lambda checked, seen: replace(seen, status=checked.status)),
        caught_by=f"{ATTEMPT}test_another_status_at_the_second_look_is_recorded_and_nothing_is_sent",
    ),
    mutant(
        "the look again does not read the label",
        "A label on the deployment opts it out.",
        _look_again(lambda checked, seen: replace(seen, opted_out=False)),
        caught_by=f"{ATTEMPT}test_a_model_that_is_opted_out_between_the_looks_is_not_retried",
    ),
    mutant(
        "a look again that could not see is good enough",
        "A check that errs is no observation: nothing is ever retried on it.",
        _look_again(lambda checked, seen: seen, blind=True),
        caught_by=f"{ATTEMPT}test_when_the_second_look_fails_nothing_is_sent_and_it_is_tried_again_soon",
    ),
    mutant(
        "a lost answer is asked for again",
        "The POST is never repeated by the HTTP layer.",
        seams.post_retry(_asked_again),
        caught_by=f"{API}test_a_failed_retry_is_not_repeated",
    ),
    mutant(
        "a lost answer is resolved by asking",
        "A lost answer is resolved by looking at the status, not by asking again.",
        seams.post_retry(_asked_again),
        caught_by=f"{ENGINE}test_a_lost_answer_is_resolved_by_checks_and_never_by_a_second_post",
    ),
    mutant(
        "a cancelled check cancels its POST",
        "An answer, once there, is recorded whatever happens.",
        seams.shield(lambda right, task: task),
        caught_by=f"{ATTEMPT}test_a_check_that_is_cancelled_does_not_cancel_its_post",
    ),
    mutant(
        "a stop does not wait for the answer",
        "POST, once, then record: also while stopping.",
        seams.finish_sending(_does_not_wait),
        caught_by=f"{ENGINE}test_stopping_records_a_post_under_way",
    ),
    mutant(
        "the ledger is made up for while it is away",
        "Fail closed: with the ledger unreadable, no POST.",
        seams.transact(_made_up_for),
        caught_by=f"{ENGINE}test_while_the_ledger_is_away_watching_goes_on_and_nothing_is_sent",
    ),
)

LAST_MOMENT = tuple(
    mutant(name, rule, seams.last_questions(_nothing_hinders), caught_by=test)
    for name, rule, test in (
        (
            "an old reservation is sent",
            "The TTL is checked right before sending.",
            f"{ATTEMPT}test_what_was_reserved_too_long_ago_is_not_sent",
        ),
        (
            "what was reserved is sent while it stops",
            "abandoned (never sent): what is not sent when it stops.",
            f"{ATTEMPT}test_stopping_abandons_what_was_not_sent_and_says_so",
        ),
        (
            "an episode that ended after the reservation is retried",
            "A person's act wins.",
            f"{OPERATE}test_an_episode_that_somebody_ended_after_the_reservation_stops_the_post",
        ),
        (
            "a model that was removed after the reservation is retried",
            "An empty or missing list means nothing, never everything.",
            f"{RELOAD}test_a_model_that_another_process_removed_is_not_retried",
        ),
        (
            "another configuration after the reservation stops nothing",
            "A new configuration takes over whole.",
            f"{RELOAD}test_observe_mode_taken_up_after_the_reservation_stops_the_post",
        ),
    )
)


def _of_any_version(
    right: Any, tx: Any, settings: Any, seen: Target, *args: Any, **kwargs: Any
) -> Any:
    present = replace(seen, version=tx.targets.get(seen.model_id).version)
    return right(tx, settings, present, *args, **kwargs)


def _save_any_version(tx: Any, target: Target) -> Any:
    return tx.targets.save(replace(target, version=tx.targets.get(target.model_id).version))


FENCES = (
    mutant(
        "a reservation for another version",
        "Every reservation is fenced by the target's version.",
        seams.reserve(_of_any_version),
        caught_by=f"{RESERVATION}test_a_target_that_somebody_changed_meanwhile_is_not_reserved_for",
    ),
    mutant(
        "the ledger does not compare versions",
        "Every reservation is fenced by the target's version.",
        seams.ledger("targets.save", _save_any_version),
        caught_by=f"{LEDGER}test_a_change_made_meanwhile_is_a_conflict",
    ),
    mutant(
        "two daemons on one ledger",
        "SQLite is for one daemon, which holds a file lock.",
        seams.file_lock(lambda right, self, *args: True),
        caught_by="tests/integration/test_ledger_sqlite.py::test_each_role_has_one_holder_and_readers_need_none",
    ),
)
