from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from watchdog.emulator.scenario import Scenario
from watchdog.emulator.workspace import NotFound, Workspace

START = datetime(2026, 8, 1, 12, tzinfo=UTC)
ID = "abc123"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def workspace(
    *deploys: Sequence[object], refuses: str | None = None, time_scale: float = 1.0
) -> Workspace:
    model = {"id": ID, "name": "m", "deploys": deploys, "refuses": refuses}
    scenario = Scenario.model_validate({"models": [model]})
    return Workspace(scenario, started_at=START, time_scale=time_scale)


def statuses(made: Workspace, *seconds: float) -> list[str]:
    return [made.development(ID, at(second)).status for second in seconds]


FAILED = ["BUILD_FAILED"]
RECOVERS = [{"BUILDING": "30s"}, {"LOADING_MODEL": "10s"}, "ACTIVE"]


def test_a_deploy_goes_through_its_statuses_in_time() -> None:
    made = workspace(RECOVERS)
    assert statuses(made, 0, 29.999, 30, 39.999, 40, 1e8) == [
        "BUILDING", "BUILDING", "LOADING_MODEL", "LOADING_MODEL", "ACTIVE", "ACTIVE",
    ]  # fmt: skip


def test_a_second_is_as_many_scenario_seconds_as_the_time_scale_says() -> None:
    made = workspace(RECOVERS, time_scale=10)
    assert statuses(made, 2.999, 3, 3.999, 4) == [
        "BUILDING", "LOADING_MODEL", "LOADING_MODEL", "ACTIVE",
    ]  # fmt: skip


@pytest.mark.parametrize("time_scale", [0, -1, float("nan"), float("inf")])
def test_refuses_a_time_scale_that_makes_no_time(time_scale: float) -> None:
    with pytest.raises(ValueError, match="time scale"):
        workspace(RECOVERS, time_scale=time_scale)


@pytest.mark.parametrize("status", ["BUILD_FAILED", "DEPLOY_FAILED", "FAILED", "BUILD_STOPPED"])
def test_a_retry_of_a_failed_deployment_starts_the_next_deploy(status: str) -> None:
    made = workspace([status], RECOVERS)
    before = made.development(ID, at(60))
    result = made.retry(ID, at(60))
    assert (result.retried, result.reason) == (True, None)
    assert result.deployment.status == "BUILDING"
    assert (result.deployment.id, result.deployment.created_at) == (before.id, before.created_at)
    assert statuses(made, 89, 90, 100) == ["BUILDING", "LOADING_MODEL", "ACTIVE"]


@pytest.mark.parametrize(
    "status", ["ACTIVE", "BUILDING", "SCALED_TO_ZERO", "INACTIVE", "UNHEALTHY", "NEVER_HEARD_OF"]
)
def test_a_retry_of_any_other_is_refused_with_a_reason(status: str) -> None:
    made = workspace([status], RECOVERS)
    result = made.retry(ID, at(1))
    assert not result.retried
    assert result.reason is not None
    assert status in result.reason
    assert statuses(made, 1) == [status]


def test_a_model_can_refuse_every_retry() -> None:
    made = workspace(FAILED, RECOVERS, refuses="archive expired")
    for second in (1, 2):
        result = made.retry(ID, at(second))
        assert (result.retried, result.reason) == (False, "archive expired")
    assert statuses(made, 100) == ["BUILD_FAILED"]


def test_the_last_deploy_repeats() -> None:
    flapping = [{"ACTIVE": "10s"}, "DEPLOY_FAILED"]
    made = workspace(FAILED, flapping)
    for second in (100, 200, 300):
        assert made.retry(ID, at(second)).retried
        assert statuses(made, second, second + 10) == ["ACTIVE", "DEPLOY_FAILED"]


def test_a_push_makes_a_new_deployment_in_the_same_slot() -> None:
    made = workspace(FAILED, RECOVERS)
    before = made.development(ID, at(5))
    made.push(ID, at(5))
    after = made.development(ID, at(5))
    assert (after.id, after.created_at, after.status) == (before.id, at(5), "BUILDING")


def test_a_push_can_make_a_new_id() -> None:
    made = workspace(FAILED, RECOVERS)
    before = made.development(ID, at(5))
    made.push(ID, at(5), new_id=True)
    assert made.development(ID, at(5)).id != before.id


def test_ids_are_the_same_in_each_run_and_differ_between_models() -> None:
    models = [{"id": name, "name": name, "deploys": [["ACTIVE"]]} for name in ("a", "b")]
    scenario = Scenario.model_validate({"models": models})
    first, again = (Workspace(scenario, started_at=START) for _ in range(2))
    ids = [first.development(name, START).id for name in ("a", "b")]
    assert ids == [again.development(name, START).id for name in ("a", "b")]
    assert len(set(ids)) == 2


def test_a_status_that_is_set_holds_until_the_next_retry() -> None:
    made = workspace(RECOVERS, [{"BUILDING": "5s"}, "ACTIVE"])
    before = made.development(ID, at(1))
    made.set_status(ID, "DEPLOY_FAILED", at(1))
    assert statuses(made, 1, 1000) == ["DEPLOY_FAILED", "DEPLOY_FAILED"]
    assert made.development(ID, at(1)).id == before.id
    assert made.retry(ID, at(1000)).retried
    assert statuses(made, 1000, 1005) == ["BUILDING", "ACTIVE"]


def test_a_deployment_that_is_taken_away_comes_back_as_a_new_one() -> None:
    made = workspace(RECOVERS)
    before = made.development(ID, at(1))
    made.set_status(ID, None, at(2))
    assert made.model(ID, at(2)).development is None
    with pytest.raises(NotFound, match="no development deployment"):
        made.development(ID, at(2))
    with pytest.raises(NotFound, match="no development deployment"):
        made.retry(ID, at(2))
    made.set_status(ID, "BUILD_FAILED", at(3))
    after = made.development(ID, at(3))
    assert after.id != before.id
    assert (after.created_at, after.status) == (at(3), "BUILD_FAILED")


def test_a_model_without_deploys_has_no_development_deployment() -> None:
    made = workspace()
    assert [model.development for model in made.models(START)] == [None]
    with pytest.raises(NotFound, match="no development deployment"):
        made.development(ID, START)
    with pytest.raises(NotFound, match="no deploys"):
        made.push(ID, START)
    with pytest.raises(NotFound, match="no deploys"):
        made.set_status(ID, "ACTIVE", START)


def test_an_unknown_model_is_not_found() -> None:
    made = workspace(RECOVERS)
    with pytest.raises(NotFound, match="no model other"):
        made.model("other", START)
    with pytest.raises(NotFound, match="no model other"):
        made.retry("other", START)
