"""What the emulator does to requests: its rate limits, its faults, and the acts of operators."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from watchdog.emulator.faults import Fault, FaultKind, Faults, InjectedFaults, Operation
from watchdog.emulator.limits import RateCounter, RateLimits
from watchdog.emulator.operations import Call
from watchdog.emulator.replies import HUGE_BYTES, Ending, Reply, over_the_limit, reply
from watchdog.emulator.scenario import ActKind, Scenario, load_scenario
from watchdog.emulator.values import NotFound
from watchdog.emulator.workspace import Workspace

START = datetime(2026, 8, 1, 12, tzinfo=UTC)
ID = "abc123"
GET, RETRY = Operation.GET_DEPLOYMENT, Operation.RETRY
NONE = InjectedFaults()
FAILED_THEN_WELL = [["BUILD_FAILED"], ["ACTIVE"]]


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def workspace(deploys: list[Any] = FAILED_THEN_WELL, **model: Any) -> Workspace:
    scenario = {"models": [{"id": ID, "name": "m", "deploys": deploys, **model}]}
    return Workspace(Scenario.model_validate(scenario), started_at=START)


def injected(kind: FaultKind | str, **options: Any) -> InjectedFaults:
    fault = Fault.model_validate({"fault": str(kind), **options})
    return Faults([fault]).take(RETRY, ID, timedelta(0))


def asked(
    made: Workspace, operation: Operation = RETRY, faults: InjectedFaults = NONE, seconds: float = 1
) -> Reply:
    return reply(made, Call(operation, ID, "the-key"), faults, at(seconds))


def parsed(answer: Reply) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.body)
    return found


@pytest.mark.parametrize(
    ("kind", "code", "ending", "executed"),
    [
        ("hang", 0, Ending.HANG, False),
        ("reset", 0, Ending.RESET, False),
        ("throttled", 429, Ending.ANSWERED, False),
        ("unauthorized", 401, Ending.ANSWERED, False),
        ("forbidden", 403, Ending.ANSWERED, False),
        ("unavailable", 503, Ending.ANSWERED, False),
        ("not_found", 404, Ending.ANSWERED, False),
        ("lost_answer", 200, Ending.HANG, True),
        ("reset_after", 200, Ending.RESET, True),
        ("gateway_timeout", 504, Ending.ANSWERED, True),
        ("truncated", 200, Ending.ANSWERED, True),
        ("ill_typed", 200, Ending.ANSWERED, True),
        ("huge", 200, Ending.ANSWERED, True),
        ("retried_text", 200, Ending.ANSWERED, True),
        ("other_deployment", 200, Ending.ANSWERED, True),
        ("other_model", 200, Ending.ANSWERED, True),
        ("hostile_reason", 200, Ending.ANSWERED, True),
    ],
)
def test_what_a_fault_does_to_a_retry(kind: str, code: int, ending: Ending, executed: bool) -> None:
    made = workspace()
    answer = asked(made, faults=injected(kind))
    assert (answer.code, answer.ending, answer.executed) == (code, ending, executed)
    status = "ACTIVE" if executed else "BUILD_FAILED"
    assert made.development(ID, at(1)).status == status
    assert answer.retried is (True if executed else None)


def test_every_kind_of_fault_can_be_asked_for() -> None:
    not_of_retries = {FaultKind.LAGGING, FaultKind.UNREADABLE_ENTRY}
    for kind in FaultKind:
        assert injected(kind).names == (() if kind in not_of_retries else (kind.value,))


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({}, {"error": "Rate limit exceeded.", "retry_after": 30}),
        ({"retry_after": 7}, {"error": "Rate limit exceeded.", "retry_after": 7}),
        ({"retry_after": None}, {"error": "Rate limit exceeded."}),
        ({"retry_after": "soon"}, {"error": "Rate limit exceeded.", "retry_after": "soon"}),
    ],
)
def test_a_429_with_without_and_with_an_unusable_time(
    options: Mapping[str, Any], body: Mapping[str, Any]
) -> None:
    assert parsed(asked(workspace(), faults=injected("throttled", **options))) == body


def test_bodies_as_they_should_not_be() -> None:
    truncated = asked(workspace(), faults=injected("truncated"))
    with pytest.raises(json.JSONDecodeError):
        json.loads(truncated.body)
    assert parsed(asked(workspace(), faults=injected("retried_text")))["retried"] == "yes"
    other = parsed(asked(workspace(), faults=injected("other_deployment")))["deployment"]["id"]
    assert other != workspace().development(ID, at(1)).id
    whose = [
        parsed(asked(workspace(), GET, injected("other_model"))),
        parsed(asked(workspace(), RETRY, injected("other_model")))["deployment"],
    ]
    assert [(each["model_id"], each["status"]) for each in whose] == [
        ("another1", "BUILD_FAILED")
    ] * 2
    ill_typed = parsed(asked(workspace(), GET, injected("ill_typed")))
    assert ill_typed["status"] == 7
    reason = parsed(asked(workspace(), faults=injected("hostile_reason")))["reason"]
    assert "the-key" in reason
    assert "\x1b" in reason
    assert "\n" in reason
    huge = asked(workspace(), faults=injected("huge"))
    assert huge.padding == HUGE_BYTES
    assert parsed(huge)["padding"] == ""
    for kind in ("unavailable", "not_found"):
        assert asked(workspace(), faults=injected(kind)).media_type == "text/html"


def test_a_list_of_models_of_which_one_cannot_be_read() -> None:
    two = [{"id": each, "name": "m", "deploys": [["ACTIVE"]]} for each in ("first1", "second1")]
    made = Workspace(Scenario.model_validate({"models": two}), started_at=START)
    fault = Fault.model_validate({"fault": "unreadable_entry"})
    taken = Faults([fault]).take(Operation.LIST_MODELS, None, timedelta(0))
    models = parsed(reply(made, Call(Operation.LIST_MODELS, None, "k"), taken, at(1)))["models"]
    assert [each["id"] for each in models] == [7, "second1"]


def test_late_answers_come_later_and_are_good() -> None:
    answer = asked(workspace(), faults=injected("late", delay="8s"))
    assert (answer.delay, answer.code) == (timedelta(seconds=8), 200)


@pytest.mark.parametrize(
    ("kinds", "new_id", "new_created_at"),
    [((), False, False), (("new_id",), True, False), (("new_created_at",), False, True)],
)
def test_a_retry_keeps_the_identity_of_the_deployment_unless_told_otherwise(
    kinds: tuple[str, ...], new_id: bool, new_created_at: bool
) -> None:
    made = workspace()
    before = made.development(ID, at(1))
    beside = tuple(Fault.model_validate({"fault": kind}) for kind in kinds)
    assert asked(made, faults=InjectedFaults(beside=beside)).retried
    after = made.development(ID, at(2))
    assert (before.id != after.id, before.created_at != after.created_at) == (
        new_id,
        new_created_at,
    )


def test_a_lagging_status_is_behind_by_so_many_reads() -> None:
    made = workspace([["BUILD_FAILED"], [{"BUILDING": "10s"}, "ACTIVE"]])
    lagging = InjectedFaults(beside=(Fault.model_validate({"fault": "lagging", "reads": 2}),))

    def seen(seconds: float) -> str:
        return str(parsed(asked(made, GET, lagging, seconds))["status"])

    assert seen(1) == "BUILD_FAILED"
    asked(made, RETRY, seconds=2)
    assert [seen(3), seen(4), seen(5)] == ["BUILD_FAILED", "BUILD_FAILED", "BUILDING"]
    assert [seen(12), seen(13), seen(14)] == ["BUILDING", "BUILDING", "ACTIVE"]


@pytest.mark.parametrize(
    ("fault", "operation", "model_id", "seconds", "applies"),
    [
        ({}, GET, ID, 0, True),
        ({"from": "1m"}, GET, ID, 59, False),
        ({"from": "1m"}, GET, ID, 60, True),
        ({"from": "1m", "until": "2m"}, GET, ID, 119, True),
        ({"from": "1m", "until": "2m"}, GET, ID, 120, False),
        ({"models": [ID]}, GET, ID, 0, True),
        ({"models": ["another"]}, GET, ID, 0, False),
        ({"operation": "retry"}, GET, ID, 0, False),
        ({"operation": "retry"}, RETRY, ID, 0, True),
        ({}, Operation.LIST_MODELS, None, 0, True),
        ({"fault": "retried_text"}, GET, ID, 0, False),
        ({"fault": "lagging"}, RETRY, ID, 0, False),
        ({"fault": "other_model"}, RETRY, ID, 0, True),
        ({"fault": "other_model"}, Operation.LIST_MODELS, None, 0, False),
        ({"fault": "unreadable_entry"}, Operation.LIST_MODELS, None, 0, True),
    ],
)
def test_which_requests_a_fault_applies_to(
    fault: Mapping[str, Any],
    operation: Operation,
    model_id: str | None,
    seconds: float,
    applies: bool,
) -> None:
    made = Fault.model_validate({"fault": "hang", **fault})
    taken = Faults([made]).take(operation, model_id, timedelta(seconds=seconds))
    assert bool(taken.names) is applies


def test_the_first_listed_applies_beside_those_that_leave_the_answer_alone() -> None:
    listed = [{"fault": "late"}, {"fault": "hang", "times": 1}, {"fault": "reset"}]
    faults = Faults([Fault.model_validate(each) for each in listed])
    assert faults.take(GET, ID, timedelta(0)).names == ("hang", "late")
    assert faults.take(GET, ID, timedelta(0)).names == ("reset", "late")


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"fault": "meteor"}, "fault"),
        ({"fault": "hang", "delay": "3s"}, "delay goes with late"),
        ({"fault": "hang", "reads": 3}, "reads goes with lagging"),
        ({"fault": "hang", "retry_after": 3}, "retry_after goes with throttled"),
        ({"fault": "hang", "from": "2m", "until": "1m"}, "until must be later than from"),
        ({"fault": "hang", "models": []}, "empty"),
        ({"fault": "hang", "from": 5}, "write a duration"),
        ({"fault": "new_id", "operation": "get_deployment"}, "applies to retry only"),
        ({"fault": "lagging", "operation": "list_models"}, "applies to get_deployment only"),
        (
            {"fault": "other_model", "operation": "list_models"},
            "applies to get_deployment and retry only",
        ),
        ({"fault": "hang", "when": "5m"}, "when"),
    ],
)
def test_refuses_a_fault_that_makes_no_sense(fault: Mapping[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Fault.model_validate(fault)


def test_refuses_a_fault_of_a_model_that_there_is_not() -> None:
    models = [{"id": ID, "name": "m", "deploys": [["ACTIVE"]]}]
    with pytest.raises(ValidationError, match="there is no model other"):
        Scenario.model_validate(
            {"models": models, "faults": [{"fault": "hang", "models": ["other"]}]}
        )


def test_the_documented_rate_limits() -> None:
    counter = RateCounter(RateLimits())
    retries = [counter.wait(RETRY, at(second)) for second in range(12)]
    assert retries == [None] * 10 + [50, 49]
    assert counter.wait(RETRY, at(59.9)) == 1
    assert counter.wait(RETRY, at(60)) is None
    assert counter.wait(RETRY, at(60)) == 1
    looks = [counter.wait(GET, at(0.001 * number)) for number in range(102)]
    assert looks == [None] * 100 + [1, 1]
    assert counter.wait(Operation.LIST_MODELS, at(0.05)) is None
    assert counter.wait(GET, at(1)) is None
    assert parsed(over_the_limit(37)) == {"error": "Rate limit exceeded.", "retry_after": 37}


def test_no_limit_where_none_is_wanted() -> None:
    limits = RateLimits(requests_per_second=None, retries_per_minute=None)
    counter = RateCounter(limits)
    assert {counter.wait(kind, START) for kind in (GET, RETRY) for _ in range(500)} == {None}


def test_the_platform_deactivates_and_the_audit_log_has_it_later() -> None:
    acts = [
        {"at": "10s", "act": "deactivate", "by": "platform", "logged": "15s"},
        {"at": "40s", "act": "activate"},
        {"at": "60s", "act": "deactivate", "logged": None},
        {"at": "80s", "act": "promote"},
    ]
    made = workspace([["ACTIVE"], ["SCALED_TO_ZERO"]], acts=acts)

    def logged(seconds: float) -> list[tuple[str, str]]:
        items = parsed(asked(made, Operation.LIST_AUDIT_LOGS, seconds=seconds))["items"]
        return [(each["event_type"], each["actor"]["type"]) for each in items]

    assert made.development(ID, at(20)).status == "INACTIVE"
    assert logged(20) == []
    by_platform = ("MODEL_DEPLOYMENT_DEACTIVATED", "BASETEN_SYSTEM")
    assert logged(30) == [by_platform]
    activated = ("MODEL_DEPLOYMENT_ACTIVATED", "USER")
    assert made.development(ID, at(50)).status == "SCALED_TO_ZERO"
    assert made.development(ID, at(70)).status == "INACTIVE"
    assert logged(70) == [activated, by_platform]
    assert logged(90) == [("MODEL_DEPLOYMENT_PROMOTED", "USER"), activated, by_platform]
    assert made.model(ID, at(90)).development is None


def test_the_acts_of_a_person() -> None:
    acts = [
        {"at": "10s", "act": "push"},
        {"at": "20s", "act": "push_new_id"},
        {"at": "30s", "act": "stop"},
        {"at": "40s", "act": "deactivate"},
        {"at": "50s", "act": "delete"},
        {"at": "60s", "act": "push"},
    ]
    made = workspace([["BUILD_FAILED"], ["ACTIVE"], ["BUILDING"], ["UNHEALTHY"]], acts=acts)
    first = made.development(ID, at(9))
    pushed = made.development(ID, at(10))
    assert (pushed.status, pushed.id, pushed.created_at) == ("ACTIVE", first.id, at(10))
    renewed = made.development(ID, at(21))
    assert (renewed.status, renewed.created_at) == ("BUILDING", at(20))
    assert renewed.id != first.id
    assert made.development(ID, at(30)).status == "BUILD_STOPPED"
    assert made.development(ID, at(40)).status == "INACTIVE"
    with pytest.raises(NotFound):
        made.development(ID, at(50))
    assert made.development(ID, at(1000)).created_at == at(60)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ({"acts": [{"at": "1m", "act": "stop"}], "deploys": []}, "acts need deploys"),
        (
            {"acts": [{"at": "2m", "act": "stop"}, {"at": "1m", "act": "push"}]},
            "in the order of their times",
        ),
    ],
)
def test_refuses_acts_that_cannot_be(model: Mapping[str, Any], says: str) -> None:
    whole = {"id": ID, "name": "m", "deploys": [["ACTIVE"]], **model}
    with pytest.raises(ValidationError, match=says):
        Scenario.model_validate({"models": [whole]})


def test_the_storm_has_every_fault_and_every_act() -> None:
    storm = load_scenario(Path(__file__).parents[2] / "config" / "storm.yaml")
    assert {fault.fault for fault in storm.faults} == set(FaultKind)
    assert {act.act for model in storm.models for act in model.acts} == set(ActKind)
