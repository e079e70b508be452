"""How many round trips to a ledger are needed to apply the list of watched models: as many for a
thousand models as for ten, because a server may be milliseconds away."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Engine, event

from tests.contract.test_ledger import KINDS, Subject, opened
from tests.fakes.fleet import a_fleet, settings_of
from tests.fakes.records import POLICY, an_attempt, an_episode, failing, healthy
from watchdog.domain.records import Target
from watchdog.engine.fleet.overview import overview
from watchdog.engine.lifecycle.watchlist import begin, remove_unwanted, targets_for_command
from watchdog.engine.ports import LedgerTransaction, VersionConflict
from watchdog.engine.settings import MODE, Model, Settings

FEW, MANY = 10, 1000

Counts = tuple[int, int]
Before = Callable[[LedgerTransaction, Settings], None]
Work = Callable[[LedgerTransaction, Settings], object]


class Counting:
    """A transaction whose calls are counted, because a ledger in memory executes no statements."""

    def __init__(self, tx: LedgerTransaction) -> None:
        self.calls = 0
        self._tx = tx

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._tx, name)
        if not callable(found):
            return _Noun(self, found)
        if name != "now":
            self.calls += 1
        return found


class _Noun:
    """The calls about one noun of a transaction."""

    def __init__(self, counting: Counting, rows: Any) -> None:
        self._counting = counting
        self._rows = rows

    def __getattr__(self, name: str) -> Any:
        self._counting.calls += 1
        return getattr(self._rows, name)


def a_watch_list(count: int, kind: str = "m") -> Settings:
    models = {f"{kind}{number:04}": Model(None, POLICY) for number in range(count)}
    return settings_of(a_fleet(1), models=models)


def watched(tx: LedgerTransaction, settings: Settings) -> None:
    """Write targets of which every other one fails and has an attempt under way."""
    targets, attempts = [], []
    for number, model_id in enumerate(settings.models):
        if number % 2:
            targets.append(healthy(model_id=model_id))
            continue
        episode = an_episode(id=f"e-{model_id}", model_id=model_id)
        targets.append(failing(model_id=model_id, episode=episode))
        attempts.append(an_attempt(id=f"a-{model_id}", model_id=model_id, episode_id=episode.id))
    tx.targets.add_all(targets)
    for attempt in attempts:
        tx.attempts.add(attempt)


def as_observed(tx: LedgerTransaction, settings: Settings) -> None:
    watched(tx, settings)
    tx.meta.set(MODE, "observe")


def others(tx: LedgerTransaction, settings: Settings) -> None:
    watched(tx, a_watch_list(len(settings.models), "other"))


def nothing(tx: LedgerTransaction, settings: Settings) -> None:
    """A new ledger."""


def declare(tx: LedgerTransaction, settings: Settings) -> None:
    tx.replicas.configure(settings.owner, settings.models)


def show(tx: LedgerTransaction, settings: Settings) -> None:
    overview(tx, settings.policies, settings.limits)


async def asked(kind: str, folder: Path, count: int, before: Before, work: Work) -> Counts:
    """How many calls of the port and how many statements the work makes."""
    statements: list[str] = []
    settings = a_watch_list(count)

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    def counted(tx: LedgerTransaction) -> int:
        counting = Counting(tx)
        work(cast("LedgerTransaction", counting), settings)
        return counting.calls

    async with opened(kind, folder) as subject:
        await subject.do(lambda tx: before(tx, settings))
        event.listen(Engine, "before_cursor_execute", note)
        try:
            return await subject.do(counted), len(statements)
        finally:
            event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("before", "work"),
    [
        pytest.param(nothing, begin, id="start"),
        pytest.param(watched, begin, id="take-over"),
        pytest.param(others, begin, id="reload-with-other-models"),
        pytest.param(as_observed, begin, id="reload-in-retry-mode"),
        pytest.param(others, remove_unwanted, id="heartbeat-that-removes"),
        pytest.param(nothing, declare, id="declare"),
        pytest.param(nothing, targets_for_command, id="command-on-new-models"),
        pytest.param(watched, targets_for_command, id="command"),
        pytest.param(watched, show, id="page"),
    ],
)
async def test_a_thousand_models_take_as_many_round_trips_as_ten(
    kind: str, before: Before, work: Work, tmp_path_factory: pytest.TempPathFactory
) -> None:
    few = await asked(kind, tmp_path_factory.mktemp("few"), FEW, before, work)
    many = await asked(kind, tmp_path_factory.mktemp("many"), MANY, before, work)
    assert many == few
    assert few[0]
    assert few[1] or kind == "memory"


def the_fleet(count: int, **values: Any) -> list[Target]:
    return [
        failing(
            model_id=f"m{number}",
            episode=an_episode(id=f"e{number}", model_id=f"m{number}", **values),
        )
        for number in range(count)
    ]


async def test_targets_written_together_equal_those_written_one_by_one(subject: Subject) -> None:
    targets = the_fleet(3)
    await subject.do(lambda tx: tx.targets.add_all([*targets[:2], healthy(model_id="m9")]))
    await subject.add(targets[2])
    changed = [replace(each, name="new") for each in the_fleet(3, standing=True)]
    saved = await subject.do(lambda tx: tx.targets.save_all(changed))
    assert saved == [replace(each, version=1) for each in changed]
    assert await subject.do(lambda tx: tx.targets.all()) == [*saved, healthy(model_id="m9")]
    assert await subject.do(lambda tx: tx.targets.save_all([])) == []


async def test_one_conflict_among_targets_saved_together_is_a_conflict_of_all(
    subject: Subject,
) -> None:
    targets = the_fleet(3)
    await subject.do(lambda tx: tx.targets.add_all(targets))
    await subject.do(lambda tx: tx.targets.save(targets[1]))
    with pytest.raises(VersionConflict):
        await subject.do(
            lambda tx: tx.targets.save_all([replace(each, name="new") for each in targets])
        )
    assert {each.name for each in await subject.do(lambda tx: tx.targets.all())} == {None}
