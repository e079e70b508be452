"""The page's words: one for each thing that it shows, and the one-line summary."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.fakes.fleet import OTHER, OWNER, a_fleet, settings_of
from tests.fakes.records import FLEET, NOW, POLICY, ago, failing, healthy
from watchdog.domain.breaker import Opening
from watchdog.domain.records import (
    Action,
    ActionKind,
    Decision,
    DecisionKind,
    DecisionReason,
    EpisodeResult,
    Health,
    Hold,
    Outcome,
    Resolution,
    TargetState,
)
from watchdog.domain.replica import Replica
from watchdog.engine.events import (
    ApiDown,
    ApiHeld,
    ApiRecovered,
    ApiRequested,
    AuthFailed,
    AuthRecovered,
    BecameActive,
    BecameStandby,
    Event,
)
from watchdog.engine.fleet.api_state import ApiState
from watchdog.engine.fleet.condition import Condition
from watchdog.engine.fleet.overview import Overview, Watched
from watchdog.web import words
from watchdog.web.facts import About, Fact, facts, limits, living, notes
from watchdog.web.rows import Row

ABOUT = About(version="1.2.3", ledger="SQLite")
SETTINGS = settings_of(a_fleet(8))
HELD = Hold(DecisionReason.API_HELD, NOW + timedelta(minutes=2))


def seen(**values: Any) -> Overview:
    return replace(Overview(NOW, (), FLEET, (), None, ()), **values)


def condition(*events: Event) -> Condition:
    made = Condition()
    for event in events:
        made(event)
    return made


def answered(code: str = "200") -> ApiRequested:
    return ApiRequested(operation="get_deployment", code=code, duration_seconds=0.1)


def fact(name: str, *events: Event, overview: Overview | None = None) -> Fact:
    overview = overview if overview is not None else seen()
    found = facts(ABOUT, SETTINGS, condition(*events), overview)
    return next(each for each in found if each.name == name)


def test_a_broken_model_that_is_paused_is_said_to_be_both() -> None:
    paused = Decision(DecisionKind.NOTHING, DecisionReason.PAUSED)
    broken = failing(status="UNHEALTHY", health=Health.BROKEN, decision=paused)
    row = Row(Watched(broken, POLICY, ()), NOW)
    assert row.why == f"{DecisionReason.BROKEN.sentence} {DecisionReason.PAUSED.sentence}"
    missing = replace(broken, status=None, health=None, missing=True)
    assert Row(Watched(missing, POLICY, ()), NOW).why.startswith(DecisionReason.MISSING.sentence)


def test_there_is_a_word_for_everything() -> None:
    assert words.STATES.keys() == set(TargetState)
    assert all(reason.sentence.endswith(".") for reason in DecisionReason)
    assert words.OUTCOMES.keys() == set(Outcome)
    assert words.RESOLUTIONS.keys() == set(Resolution)
    assert words.RESULTS.keys() == set(EpisodeResult)
    assert words.ACTIONS.keys() == set(ActionKind)
    assert words.HEALTHS.keys() == {*Health, None}


def test_a_state_is_the_word_of_the_commands_and_the_metrics() -> None:
    assert {state: shown.text for state, shown in words.STATES.items()} == {
        state: state.value for state in TargetState
    }
    assert all(shown.sentence.endswith(".") for shown in words.STATES.values())


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], Fact("API", "not asked yet")),
        ([answered()], Fact("API", "answers", "key accepted", "good")),
        ([answered("404")], Fact("API", "not asked yet")),
        ([answered("500")], Fact("API", "not asked yet")),
        (
            [answered(), AuthFailed(code="401", hold=HELD)],
            Fact("API", "refuses the key", "HTTP 401", "bad"),
        ),
        (
            [AuthFailed(code="401", hold=HELD), AuthRecovered()],
            Fact("API", "answers", "key accepted", "good"),
        ),
        (
            [answered(), ApiDown(code="timeout", error="x", failures=3)],
            Fact("API", "answers no request", "timeout", "bad"),
        ),
        (
            [
                answered(),
                ApiDown(code="timeout", error="x", failures=3),
                ApiRecovered(after=timedelta(minutes=1)),
            ],
            Fact("API", "answers", "key accepted", "good"),
        ),
        (
            [answered(), ApiHeld(operation="retry", hold=HELD)],
            Fact("API", "asked to wait", "in 2m", "warn"),
        ),
        (
            [answered(), ApiHeld(operation="retry", hold=replace(HELD, until=NOW))],
            Fact("API", "answers", "key accepted", "good"),
        ),
        (  # The time comes from a clock that was set back since.
            [answered(), ApiHeld(operation="retry", hold=replace(HELD, until=ago(hours=-25)))],
            Fact("API", "answers", "key accepted", "good"),
        ),
    ],
)
def test_how_the_api_is(events: list[Event], expected: Fact) -> None:
    assert fact("API", *events) == expected


def test_a_replica_that_stands_by_knows_of_the_api_what_the_active_one_wrote() -> None:
    known = seen(api=ApiState(key_accepted=False, up=True, refused="401"))
    expected = Fact("API", "refuses the key", "HTTP 401", "bad")
    assert fact("API", BecameStandby(), overview=known) == expected
    assert fact("API", BecameActive(), answered(), overview=known).text == "answers"


def test_which_replica_this_is() -> None:
    two = seen(replicas=REPLICAS)
    assert fact("This replica").text == "starts"
    assert fact("This replica", BecameActive()).more == "watchdog-0/5f3a2c"
    assert fact("This replica", BecameStandby(), overview=two) == Fact(
        "This replica", "standby", "watchdog-0/5f3a2c, one of 2", "hand"
    )


REPLICAS = (
    Replica(OTHER, "1.2.3", ago(hours=30), ago(hours=30), NOW, active=True),
    Replica(OWNER, "1.2.2", ago(hours=2), ago(hours=2), ago(minutes=5), active=False),
)


def test_the_replicas_known() -> None:
    assert [tuple(each) for each in living(seen(replicas=REPLICAS))] == [
        ("watchdog-1/99aa00", "active", "1.2.3", "1d6h", "0s ago"),
        ("watchdog-0/5f3a2c", "gone", "1.2.2", "2h", "5m ago"),
    ]


def test_a_stretched_interval_is_shown() -> None:
    slow = replace(SETTINGS, max_rate=0.05)
    found = {each.name: each for each in facts(ABOUT, slow, condition(), seen())}
    assert found["Checks every"].text == "2m40s"
    assert found["Checks every"].more == "stretched from 1m: so many models"
    assert fact("Checks every").text == "1m"


def test_what_is_left_of_the_limits() -> None:
    used = replace(FLEET, in_flight=3, sent=(ago(seconds=5),), charged=(ago(hours=1),) * 12)
    assert [(each.left, each.allowed) for each in limits(seen(fleet=used))] == [
        (3, 4),
        (7, 10),
        (38, 50),
    ]


SPENT = replace(FLEET, charged=(ago(hours=1),) * 50)
OPENING = Opening("o1", ago(minutes=4), failures=7, not_failing=3, condition_until=NOW)
PAUSE = Action(
    ago(minutes=1), ActionKind.PAUSE, None, "ann@desk", "incident", until=NOW + timedelta(hours=1)
)


@pytest.mark.parametrize(
    ("events", "overview", "observe", "expected"),
    [
        ([BecameActive(), answered()], seen(pauses=(replace(PAUSE, model_id="m1"),)), False, []),
        ([BecameStandby()], seen(replicas=REPLICAS), False, ["watchdog-1/99aa00 watches"]),
        ([BecameStandby()], seen(), False, ["nobody watches"]),
        ([], seen(), True, ["only observes"]),
        ([AuthFailed(code="401", hold=HELD)], seen(), False, ["until a valid key is in place"]),
        ([ApiDown(code="timeout", error="x", failures=3)], seen(), False, ["may be out of date"]),
        ([], seen(opening=OPENING), False, ["breaker is open: 7 models"]),
        ([], seen(fleet=SPENT), False, ["All 50 retries that the fleet may send in 24 hours"]),
        ([], seen(pauses=(PAUSE,)), False, ["paused: by ann@desk, for another 1h. “incident”"]),
    ],
)
def test_what_is_not_as_usual_is_said(
    events: list[Event], overview: Overview, observe: bool, expected: list[str]
) -> None:
    settings = replace(SETTINGS, observe=observe)
    told = [note.text for note in notes(settings, condition(*events), overview)]
    assert len(told) == len(expected)
    assert all(part in text for part, text in zip(expected, told, strict=True))


def test_an_open_breaker_says_how_many_fail_now() -> None:
    targets = tuple(Watched(each, None, ()) for each in (failing(), failing(), healthy()))
    overview = replace(seen(opening=OPENING), targets=targets)
    (told,) = (note.text for note in notes(SETTINGS, condition(), overview))
    assert "7 models had begun to fail at once when it opened, and 2 fail now" in told


def test_an_open_breaker_and_a_ledger_that_is_away() -> None:
    assert fact("Breaker", overview=seen(opening=OPENING)).more == "4m ago"
    without = {each.name: each for each in facts(ABOUT, SETTINGS, condition(), None)}
    assert without["Ledger"].text == "does not answer"
    assert "Breaker" not in without
