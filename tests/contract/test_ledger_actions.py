"""What every ledger stores about operators' actions."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from tests.contract.test_ledger import Subject
from tests.fakes.records import NOW, ago, healthy
from watchdog.domain.records import Action, ActionKind

HOUR = timedelta(hours=1)
OF_A = Action(ago(minutes=9), ActionKind.PAUSE, "a", "ann@desk", "mine", until=NOW + HOUR)
OF_ALL = Action(ago(minutes=8), ActionKind.PAUSE, None, "bob@desk", "", until=NOW + 2 * HOUR)
EXPIRED = Action(ago(hours=9), ActionKind.PAUSE, "b", "ann@desk", "", until=NOW)
RESET = Action(ago(minutes=7), ActionKind.RESET, "b", "ann@desk", "fixed")


async def add_all(subject: Subject, *actions: Action) -> None:
    for action in actions:
        await subject.do(lambda tx, action=action: tx.actions.add(action))  # type: ignore[misc]


def plain(actions: Sequence[Action]) -> list[Action]:
    return [replace(action, id=None) for action in actions]


async def test_pauses_in_force_are_returned_the_last_to_expire_first(subject: Subject) -> None:
    await add_all(subject, EXPIRED, OF_A, OF_ALL, RESET)
    assert plain(await subject.do(lambda tx: tx.actions.pauses())) == [OF_ALL, OF_A]


async def test_a_target_has_the_later_end_of_its_own_pause_and_that_of_all_models(
    subject: Subject,
) -> None:
    await subject.add(healthy(model_id="a"), healthy(model_id="b"))
    await add_all(subject, OF_A, EXPIRED)
    ends = {t.model_id: t.paused_until for t in await subject.do(lambda tx: tx.targets.all())}
    assert ends == {"a": OF_A.until, "b": None}
    await add_all(subject, OF_ALL)
    ends = {t.model_id: t.paused_until for t in await subject.do(lambda tx: tx.targets.all())}
    assert ends == {"a": OF_ALL.until, "b": OF_ALL.until}
    found = await subject.do(lambda tx: tx.targets.get("b"))
    assert found is not None
    assert found.paused_until == OF_ALL.until


async def test_ending_the_pauses_of_one_model_or_of_all_ends_no_others(subject: Subject) -> None:
    await add_all(subject, EXPIRED, OF_A, OF_ALL)
    assert await subject.do(lambda tx: tx.actions.end_pauses("b", NOW)) == 0
    assert await subject.do(lambda tx: tx.actions.end_pauses(None, NOW)) == 1
    assert plain(await subject.do(lambda tx: tx.actions.pauses())) == [OF_A]
    assert await subject.do(lambda tx: tx.actions.end_pauses("a", NOW)) == 1
    assert plain(await subject.do(lambda tx: tx.actions.pauses())) == []
    assert plain(await subject.do(lambda tx: tx.actions.newest("a", limit=9))) == [
        replace(OF_ALL, ended_at=NOW),
        replace(OF_A, ended_at=NOW),
    ]


async def test_the_note_of_one_action_can_be_changed(subject: Subject) -> None:
    await add_all(subject, OF_A)
    added = await subject.do(lambda tx: tx.actions.add(RESET))
    await subject.do(lambda tx: tx.actions.set_note(added, "another"))
    assert await subject.do(lambda tx: tx.actions.newest("b", limit=9)) == [
        replace(RESET, id=added, note="another")
    ]
    assert plain(await subject.do(lambda tx: tx.actions.newest("a", limit=9))) == [OF_A]


async def test_the_history_is_newest_first_and_later_actions_are_oldest_first(
    subject: Subject,
) -> None:
    await add_all(subject, EXPIRED, OF_A, RESET)
    assert plain(await subject.do(lambda tx: tx.actions.newest(None, limit=9))) == [
        RESET,
        OF_A,
        EXPIRED,
    ]
    assert plain(await subject.do(lambda tx: tx.actions.newest("b", limit=9))) == [RESET, EXPIRED]
    (newest,) = await subject.do(lambda tx: tx.actions.newest(None, limit=1))
    assert newest.id is not None
    assert plain(await subject.do(lambda tx: tx.actions.after(0))) == [EXPIRED, OF_A, RESET]
    await add_all(subject, OF_ALL)
    assert plain(await subject.do(lambda tx: tx.actions.after(newest.id or 0))) == [OF_ALL]
