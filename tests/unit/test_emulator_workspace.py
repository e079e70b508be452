from datetime import UTC, datetime, timedelta

import pytest

from watchdog.emulator.scenario import Scenario
from watchdog.emulator.values import NotFound
from watchdog.emulator.workspace import Workspace

START = datetime(2026, 8, 1, 12, tzinfo=UTC)
ID = "abc123"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def workspace(*deploys: object, refuses: str | None = None, time_scale: float = 1.0) -> Workspace:
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


LOGS_AND_FAILS = {
    "steps": [{"BUILDING": "30s"}, "BUILD_FAILED"],
    "log": ["Step 1", {"message": "boom", "level": "ERROR"}],
}


def test_a_deploy_has_logged_when_it_reaches_its_last_status() -> None:
    made = workspace(LOGS_AND_FAILS)
    deployment_id = made.development(ID, at(0)).id
    assert made.logs(ID, deployment_id, at(29)) == []
    logged = made.logs(ID, deployment_id, at(30))
    assert [(each.line.message, each.line.level) for each in logged] == [
        ("Step 1", None), ("boom", "ERROR"),
    ]  # fmt: skip
    assert [each.at for each in logged] == [at(29.998), at(29.999)]


def test_the_log_of_a_build_before_a_retry_stays() -> None:
    made = workspace(LOGS_AND_FAILS, {**LOGS_AND_FAILS, "log": ["again"]})
    deployment_id = made.development(ID, at(0)).id
    made.retry(ID, at(60))
    assert [each.line.message for each in made.logs(ID, deployment_id, at(100))] == [
        "Step 1", "boom", "again",
    ]  # fmt: skip
    assert len(made.logs(ID, deployment_id, at(80))) == 2


def test_another_deployment_has_another_log() -> None:
    made = workspace(LOGS_AND_FAILS, ["ACTIVE"])
    before = made.development(ID, at(40)).id
    made.push(ID, at(60), new_id=True)
    assert made.logs(ID, made.development(ID, at(61)).id, at(61)) == []
    assert len(made.logs(ID, before, at(61))) == 2
    with pytest.raises(NotFound):
        made.logs(ID, "another1", at(61))


def test_a_start_that_fails_names_its_phase() -> None:
    fails = {"steps": [{"DEPLOYING": "10s"}, "DEPLOY_FAILED"], "fails_in": "IMAGE_PULL"}
    made = workspace(fails, {**fails, "fails_in": None, "stalls_in": "SCHEDULING"}, ["ACTIVE"])
    deployment_id = made.development(ID, at(0)).id
    assert made.startups(ID, deployment_id, at(9)) == []
    for second in (20, 40):
        made.retry(ID, at(second))
    found = made.startups(ID, deployment_id, at(50))
    assert [(each.phase, each.stalled) for each in found] == [
        ("IMAGE_PULL", False), ("SCHEDULING", True), (None, False),
    ]  # fmt: skip
