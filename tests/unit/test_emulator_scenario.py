from datetime import timedelta
from pathlib import Path

import pytest

from watchdog.emulator.scenario import ScenarioError, Step, load_scenario


def load(tmp_path: Path, text: str) -> tuple[tuple[Step, ...], ...]:
    path = tmp_path / "scenario.yaml"
    path.write_text(text, encoding="utf-8")
    return tuple(deploy.steps for deploy in load_scenario(path).models[0].deploys)


def test_a_deploy_is_a_list_of_statuses_and_how_long_they_last(tmp_path: Path) -> None:
    text = """
    models:
      - {id: abc123, name: m, deploys: [[BUILDING: 1m30s, BUILD_FAILED], [ACTIVE]]}
    """
    building = Step("BUILDING", timedelta(seconds=90))
    assert load(tmp_path, text) == ((building, Step("BUILD_FAILED")), (Step("ACTIVE"),))


def test_the_built_in_scenario_has_one_model_of_each_kind() -> None:
    models = {model.name: model for model in load_scenario().models}
    assert set(models) == {
        "embeddings-dev", "llama-dev", "whisper-dev", "sdxl-dev", "mistral-dev",
    }  # fmt: skip
    ends = {name: [deploy.steps[-1].status for deploy in m.deploys] for name, m in models.items()}
    assert ends["embeddings-dev"] == ["ACTIVE"]
    assert ends["llama-dev"] == ["BUILD_FAILED", "BUILD_FAILED", "ACTIVE"]
    assert set(ends["whisper-dev"]) == {"BUILD_FAILED"}
    assert models["sdxl-dev"].refuses
    flapping = [step.status for step in models["mistral-dev"].deploys[-1].steps]
    assert flapping[-2:] == ["ACTIVE", "DEPLOY_FAILED"]


MODEL = "id: abc123, name: m"
WRITE = "write a status and how long it lasts, as in BUILDING: 3m, or a status alone"
REST = "each status but the last says how long it lasts, and the last does not"
DURATION = "not a duration: write it like 30s, 5m, 1h30m or 500ms"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("models: [", ":2:1: not YAML", id="not-yaml"),
        pytest.param("models: !!int ''", ":1:9: not YAML: a value that", id="empty-number"),
        pytest.param("models: 2026-99-99", ":1:9: not YAML: a value that", id="no-such-date"),
        pytest.param("models: [], models: []", ":1:", id="no-mapping"),
        pytest.param("models: []\nmodels: []", ":2:1: not YAML: the key", id="key-twice"),
        pytest.param("models: " + "[" * 100, ":1:28: not YAML: nested too deeply", id="too-deep"),
        pytest.param("\x00", ":1: not YAML: a control character", id="not-even-text"),
        pytest.param("", ": models: is missing", id="empty"),
        pytest.param("{}", ": models: is missing", id="no-models"),
        pytest.param("{models: [], errors: 3}", ": errors: no such setting", id="unknown-key"),
        pytest.param(
            "{models: [], faults: [{fault: late}, {fault: hang, delay: 3s}]}",
            ": faults[1]: delay goes with late, not with hang",
            id="a-fault-that-makes-no-sense",
        ),
        pytest.param(
            "{models: [], faults: [{fault: late, delay: 3s, models: ['{x}']}]}",
            ": faults[0].models: there is no model {x}",
            id="a-fault-of-a-model-that-there-is-not",
        ),
        pytest.param(
            f"models: [{{{MODEL}, deploys: [], refuse: x}}]",
            ": models[0].refuse: no such setting",
            id="unknown-key-of-a-model",
        ),
        pytest.param(
            "models: [{id: a/b, name: m, deploys: []}]", ": models[0].id: ", id="no-path-segment"
        ),
        pytest.param(
            f"models: [{{{MODEL}, deploys: []}}, {{{MODEL}, deploys: []}}]",
            ": models: more than one model with the id abc123",
            id="one-id-twice",
        ),
        pytest.param(
            f"models: [{{{MODEL}, deploys: [[]]}}]",
            ": models[0].deploys[0].steps: ",
            id="empty-deploy",
        ),
        pytest.param(
            f"models: [{{{MODEL}, deploys: [[BUILDING, ACTIVE]]}}]",
            f": models[0].deploys[0].steps: {REST}",
            id="never-moves-on",
        ),
        pytest.param(
            f"models: [{{{MODEL}, deploys: [[BUILDING: 3m]]}}]",
            f": models[0].deploys[0].steps: {REST}",
            id="never-at-rest",
        ),
        pytest.param(
            f"models: [{{{MODEL}, deploys: [[BUILDING: 3, ACTIVE]]}}]",
            f": models[0].deploys[0].steps[0]: {WRITE}",
            id="no-unit",
        ),
        pytest.param(
            f"models: [{{{MODEL}, deploys: [[{{BUILDING: 3m, LOADING_MODEL: 1m}}, ACTIVE]]}}]",
            f": models[0].deploys[0].steps[0]: {WRITE}",
            id="two-statuses-in-one-step",
        ),
        pytest.param(
            f"models: [{{{MODEL}, deploys: [[BUILDING: 3 minutes, ACTIVE]]}}]",
            f": models[0].deploys[0].steps[0]: {DURATION}",
            id="no-duration",
        ),
    ],
)
def test_says_where_and_what_is_wrong(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(tmp_path, text)
    (line,) = caught.value.problems
    assert line.startswith(f"{tmp_path / 'scenario.yaml'}{problem}")
    assert "\n" not in line


def test_says_everything_that_is_wrong_at_once(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(tmp_path, "models: [{nme: x}]")
    missing = [line.rsplit(": ", 2)[1] for line in caught.value.problems]
    assert missing == [
        "models[0].id", "models[0].name", "models[0].deploys", "models[0].nme",
    ]  # fmt: skip


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"none\.yaml: cannot be read: No such file"):
        load_scenario(tmp_path / "none.yaml")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ScenarioError, match="not UTF-8 text"):
        load_scenario(path)
