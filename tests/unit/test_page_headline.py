"""The headline: each state of the fleet in one line."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.fakes.records import FLEET, NOW, POLICY, ago, failing, healthy
from watchdog.domain.breaker import Opening
from watchdog.domain.records import (
    UNOBSERVED,
    Action,
    ActionKind,
    Decision,
    DecisionKind,
    DecisionReason,
    Health,
    Hold,
    Target,
)
from watchdog.engine.events import (
    ApiDown,
    ApiRequested,
    AuthFailed,
    BecameActive,
    BecameStandby,
    Event,
)
from watchdog.engine.fleet.api_state import ApiState
from watchdog.engine.fleet.condition import Condition
from watchdog.engine.fleet.overview import Overview, Watched
from watchdog.web.headline import headline

WELL = healthy(decision=Decision(DecisionKind.NOTHING, DecisionReason.HEALTHY))
WAITS = failing(decision=Decision(DecisionKind.WAIT, DecisionReason.BACKOFF, NOW))
NO_RETRY = failing(decision=Decision(DecisionKind.WAIT, DecisionReason.WINDOW_SPENT, NOW))
SPENT = failing(decision=Decision(DecisionKind.GIVE_UP, DecisionReason.EPISODE_SPENT))
BROKEN = failing(
    status="UNHEALTHY",
    health=Health.BROKEN,
    decision=Decision(DecisionKind.NOTHING, DecisionReason.BROKEN),
)
PAUSED = replace(BROKEN, decision=Decision(DecisionKind.NOTHING, DecisionReason.PAUSED))
MISSING = failing(status=None, health=None, missing=True)
PARKED = failing(
    status="INACTIVE",
    health=Health.NOT_RETRYABLE,
    decision=Decision(DecisionKind.NOTHING, DecisionReason.NOT_RETRYABLE),
)
UNSEEN = Target("m1", decision=UNOBSERVED)

ANSWERED = ApiRequested(operation="get_deployment", code="200", duration_seconds=0.1)
REFUSED = AuthFailed(code="401", hold=Hold(DecisionReason.AUTH_FAILED, NOW))
DOWN = ApiDown(code="timeout", error="x", failures=3)


def line(*targets: Target, events: tuple[Event, ...] = (ANSWERED,), **values: Any) -> str:
    condition = Condition()
    for event in (BecameActive(), *events):
        condition(event)
    watched = tuple(Watched(each, POLICY, ()) for each in targets)
    return headline(replace(Overview(NOW, watched, FLEET, (), None, ()), **values), condition)


@pytest.mark.parametrize(
    ("targets", "text"),
    [
        ([], "No model is watched"),
        ([WELL], "The one model is well"),
        ([WELL, WELL], "All 2 models are well"),
        ([WELL, WAITS], "1 model failing, none needs you yet"),
        ([WELL, WAITS, NO_RETRY], "2 models failing, 1 with no retry left in its window"),
        ([WELL, WAITS, SPENT], "1 model needs you"),
        ([SPENT, SPENT, NO_RETRY], "2 models need you, 1 with no retry left in its window"),
        ([WELL, BROKEN], "1 model broken"),
        ([PAUSED, MISSING, replace(BROKEN, opted_out=True)], "3 models broken"),
        ([BROKEN, BROKEN, SPENT, WAITS], "2 models broken, 1 more needs you"),
        ([BROKEN, NO_RETRY], "1 model broken, 1 with no retry left in its window"),
        ([PARKED], "0 of 1 model well, none failing"),
        ([WELL, UNSEEN], "1 of 2 models well, none failing"),
        ([UNSEEN], "0 of 1 model well, none failing"),
    ],
)
def test_the_models_are_one_line(targets: list[Target], text: str) -> None:
    assert line(*targets) == text


OPENING = Opening("o1", ago(minutes=4), failures=7, not_failing=3, condition_until=NOW)
PAUSE = Action(NOW, ActionKind.PAUSE, None, "ann@desk", "", until=NOW + timedelta(hours=1))
NO_ROOM = replace(FLEET, charged=(ago(hours=1),) * 50)


@pytest.mark.parametrize(
    ("values", "before"),
    [
        pytest.param({"events": (REFUSED,)}, "The API refuses the key", id="key-refused"),
        pytest.param({"events": (DOWN,)}, "The API answers no request", id="api-away"),
        pytest.param({"opening": OPENING}, "The breaker is open", id="breaker-open"),
        pytest.param({"fleet": NO_ROOM}, "The fleet's retries of 24 hours are spent", id="spent"),
        pytest.param({"pauses": (PAUSE,)}, "All retries are paused", id="paused"),
    ],
)
def test_what_concerns_all_models_comes_first(values: dict[str, Any], before: str) -> None:
    assert line(WAITS, **values) == f"{before}. 1 model failing"
    assert line(BROKEN, **values) == f"{before}. 1 model broken"


@pytest.mark.parametrize("event", [REFUSED, DOWN])
def test_no_model_is_called_healthy_while_nothing_is_checked(event: Event) -> None:
    assert "well" not in line(WELL, events=(ANSWERED, event))
    assert "watched" not in line(events=(ANSWERED, event))


def test_the_worst_that_concerns_all_models_is_the_one_that_is_said() -> None:
    everything: dict[str, Any] = {"opening": OPENING, "fleet": NO_ROOM, "pauses": (PAUSE,)}
    assert line(WELL, events=(REFUSED, DOWN), **everything) == "The API refuses the key"
    assert line(WELL, **everything) == "The breaker is open. The one model is well"


def test_a_pause_of_one_model_is_no_pause_of_all() -> None:
    assert line(WELL, pauses=(replace(PAUSE, model_id="m1"),)) == "The one model is well"


def test_a_replica_that_stands_by_goes_by_what_the_active_one_wrote() -> None:
    api = ApiState(key_accepted=False, up=True, refused="401")
    assert line(WELL, events=(BecameStandby(),), api=api) == "The API refuses the key"
    assert line(WELL, events=(BecameStandby(),)) == "The one model is well"
