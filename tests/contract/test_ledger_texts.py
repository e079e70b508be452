"""Text from outside in every column that stores any: cleaned, as it normally arrives, and not
cleaned, as if a caller had forgotten to clean it."""

from collections.abc import Callable

import pytest
from sqlalchemy.exc import SQLAlchemyError

from tests.contract.test_ledger import Subject
from tests.fakes.records import NOW, an_attempt, an_episode, failing
from watchdog.domain.records import Action, ActionKind, DeploymentRef, Outcome, StatusChange
from watchdog.engine.ports import LedgerTransaction, LedgerUnavailable, VersionConflict
from watchdog.text.untrusted import clean

HOSTILE = {
    "plain": "plain, with Ümläuts, 日本 and 🧊",
    "empty": "",
    "nul": "a\x00b",
    "surrogates": "a\ud800b\udcff",
    "terminal": "\x1b[31mred\x1b[0m\x07\x9b2J",
    "lines": "one\ntwo\r\nthree\x0bfour\x85five\u2028six",
    "hidden": "a\u202eb\u200bc\ufeff",
    "unassigned": "\ue000\U0010ffff\ufffe",
    "quoted": "'; DROP TABLE attempts; -- \\ \" %s :name",
    "long": "x" * 900_000,
    "long-and-escaped": "\x00" * 900_000,
}

Through = Callable[[LedgerTransaction, str], str | None]
"""Writes a text in a column, and reads it back."""


def through_reason(tx: LedgerTransaction, text: str) -> str | None:
    tx.targets.add(failing())
    tx.attempts.add(an_attempt(Outcome.PENDING))
    tx.attempts.record_answer(an_attempt(Outcome.REFUSED, reason=text))
    found = tx.attempts.get("a1")
    return found.reason if found else None


def through_owner(tx: LedgerTransaction, text: str) -> str | None:
    tx.targets.add(failing())
    tx.attempts.add(an_attempt(owner=text))
    found = tx.attempts.get("a1")
    return found.owner if found else None


def through_name(tx: LedgerTransaction, text: str) -> str | None:
    tx.targets.add(failing(name=text))
    found = tx.targets.get("m1")
    return found.name if found else None


def through_status(tx: LedgerTransaction, text: str) -> str | None:
    tx.targets.add(failing(status=text, episode=an_episode(status=text)))
    found = tx.targets.get("m1")
    assert found is not None
    assert found.episode is not None
    assert found.episode.status == found.status
    return found.status


def through_past_status(tx: LedgerTransaction, text: str) -> str | None:
    tx.targets.add(failing())
    tx.statuses.add([StatusChange("m1", NOW, text)])
    return tx.statuses.since(NOW, "m1")[-1].status or ""


def through_deployment(tx: LedgerTransaction, text: str) -> str | None:
    ref = DeploymentRef(text, NOW)
    tx.targets.add(failing(deployment=ref, episode=an_episode(deployment=ref)))
    tx.attempts.add(an_attempt(deployment=ref, made=ref))
    target, attempt = tx.targets.get("m1"), tx.attempts.get("a1")
    assert target is not None
    assert target.episode is not None
    assert attempt is not None
    assert target.deployment == target.episode.deployment == attempt.deployment == attempt.made
    return target.deployment.id if target.deployment else None


def through_note(tx: LedgerTransaction, text: str) -> str | None:
    tx.actions.add(Action(NOW, ActionKind.RESUME, None, "ann@desk", text))
    return tx.actions.newest(None, limit=1)[0].note


def through_who(tx: LedgerTransaction, text: str) -> str | None:
    tx.actions.add(Action(NOW, ActionKind.RESUME, None, text, ""))
    return tx.actions.newest(None, limit=1)[0].who


def through_actor(tx: LedgerTransaction, text: str) -> str | None:
    tx.targets.add(failing())
    tx.findings.note_actor("e1", text)
    return tx.findings.of("m1")["e1"].actor


def through_error_lines(tx: LedgerTransaction, text: str) -> str | None:
    tx.targets.add(failing())
    tx.findings.note_error_lines("e1", ("first", text, "last"))
    first, *between, last = tx.findings.of("m1")["e1"].error_lines
    assert (first, last) == ("first", "last")
    return "\n".join(between)


def through_meta(tx: LedgerTransaction, text: str) -> str | None:
    tx.meta.set("discovered", text)
    return tx.meta.get("discovered")


COLUMNS = [
    through_reason,
    through_owner,
    through_name,
    through_status,
    through_past_status,
    through_deployment,
    through_note,
    through_who,
    through_actor,
    through_error_lines,
    through_meta,
]


@pytest.mark.parametrize("through", COLUMNS)
async def test_every_cleaned_text_is_read_back_as_it_was_written(
    through: Through, subject: Subject
) -> None:
    class Undone(Exception):
        """Rolls the transaction back, so that the next text finds the ledger as this one did."""

    for name, text in HOSTILE.items():
        cleaned = clean(text, most=100)

        def check(tx: LedgerTransaction, cleaned: str = cleaned) -> None:
            raise Undone(through(tx, cleaned))

        with pytest.raises(Undone) as undone:
            await subject.do(check)
        assert undone.value.args == (cleaned,), name


@pytest.mark.parametrize("through", COLUMNS)
@pytest.mark.parametrize("name", ["nul", "surrogates"])
async def test_a_text_that_was_not_cleaned_is_never_an_outage(
    through: Through, name: str, subject: Subject
) -> None:
    """Some ledgers accept it; in the others it is an error of that row only."""
    try:
        found = await subject.do(lambda tx: through(tx, HOSTILE[name]))
    except (LedgerUnavailable, VersionConflict) as error:
        pytest.fail(f"told as {error!r}")
    except (ValueError, SQLAlchemyError):
        found = HOSTILE[name]
    assert found == HOSTILE[name]
    await subject.do(lambda tx: tx.meta.set("goes", "on"))
    assert await subject.do(lambda tx: tx.meta.get("goes")) == "on"
