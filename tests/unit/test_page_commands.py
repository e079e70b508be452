"""Which commands a model's page offers: those that can help in its state."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fakes.records import NOW, POLICY, ago, failing, healthy
from watchdog.domain.records import (
    Action,
    ActionKind,
    Decision,
    DecisionKind,
    DecisionReason,
    Health,
    Target,
)
from watchdog.engine.fleet.overview import Watched
from watchdog.web.commands import commands
from watchdog.web.rows import Row


def decided(target: Target, kind: DecisionKind, reason: DecisionReason | None) -> Target:
    return replace(target, model_id="m1", decision=Decision(kind, reason))


def offered(target: Target, *actions: Action, policy: bool = True) -> list[str]:
    row = Row(Watched(target, POLICY if policy else None, ()), NOW)
    return [each.typed for each in commands(row, actions)]


WAIT, GIVE_UP, NOTHING = DecisionKind.WAIT, DecisionKind.GIVE_UP, DecisionKind.NOTHING
USUAL = ["history m1", "pause m1 --for 2h"]


@pytest.mark.parametrize(
    ("target", "more"),
    [
        (decided(failing(), GIVE_UP, DecisionReason.EPISODE_SPENT), ["reset m1"]),
        (decided(failing(), GIVE_UP, DecisionReason.CAUSE_PERMANENT), ["reset m1"]),
        (decided(failing(), DecisionKind.RETRY, None), ["retry m1"]),
        (decided(failing(), WAIT, DecisionReason.BACKOFF), ["retry m1 --force"]),
        (decided(failing(), WAIT, DecisionReason.WINDOW_SPENT), ["retry m1 --force"]),
        (decided(failing(), WAIT, DecisionReason.BREAKER_OPEN), []),
        (decided(failing(), WAIT, DecisionReason.ATTEMPT_UNDER_WAY), []),
        (decided(healthy(), NOTHING, DecisionReason.HEALTHY), []),
        (decided(replace(healthy(), health=Health.BROKEN), NOTHING, DecisionReason.BROKEN), []),
        (decided(replace(healthy(), missing=True), NOTHING, DecisionReason.MISSING), []),
    ],
)
def test_only_what_helps_in_its_state_is_offered(target: Target, more: list[str]) -> None:
    assert offered(target) == [*USUAL, *more]


def pause(model_id: str | None, hours: int = 1) -> Action:
    until = NOW + timedelta(hours=hours)
    return Action(ago(hours=2), ActionKind.PAUSE, model_id, "ann@desk", "", until=until)


def test_a_pause_is_ended_as_it_was_ordered() -> None:
    paused = decided(failing(), WAIT, DecisionReason.PAUSED)
    assert offered(paused, pause("m1")) == ["history m1", "resume m1"]
    assert offered(paused, pause(None)) == ["history m1", "resume --all"]
    assert offered(paused, pause(None), pause("m1")) == ["history m1", "resume m1"]
    over = (pause("m1", hours=-1), replace(pause(None), ended_at=NOW))
    assert offered(decided(healthy(), NOTHING, DecisionReason.HEALTHY), *over) == USUAL


def test_of_a_model_that_left_only_its_history_is_offered() -> None:
    left = replace(decided(failing(), GIVE_UP, DecisionReason.EPISODE_SPENT), watched=False)
    assert offered(left, policy=False) == ["history m1"]
