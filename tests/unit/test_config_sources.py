"""File, environment and command line: which of them wins, and what each may say."""

from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy import make_url

from watchdog.config import ConfigError, LoadedConfig, load_config, policies
from watchdog.domain.breaker import BreakerRules
from watchdog.domain.records import FleetLimits, Standing


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "watchdog.yaml"


def load(path: Path, text: str = "", *model_ids: str) -> LoadedConfig:
    path.write_text(text)
    return load_config(path, model_ids=model_ids)


def test_needs_no_file() -> None:
    loaded = load_config()

    assert loaded.config.mode == "retry"
    assert loaded.config.models == ()
    assert loaded.sources == {}


def test_a_variable_may_end_in_a_newline_as_a_mounted_secret_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BASETEN_WATCHDOG_MODE", "observe\n")
    monkeypatch.setenv("BASETEN_WATCHDOG_BASETEN__BASE_URL", "https://api.example.com\n")
    monkeypatch.setenv("BASETEN_WATCHDOG_BASETEN__API_KEY_FILE", " /run/key\r\n")
    monkeypatch.setenv("BASETEN_WATCHDOG_MODELS", '\ufeff [{"id": "a"}]\n')
    config = load_config().config
    assert [model.id for model in config.models] == ["a"]
    assert config.mode == "observe"
    assert config.baseten.base_url == "https://api.example.com"
    assert config.baseten.api_key_file == Path("/run/key")


def test_environment_beats_file_and_command_line_beats_both(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("mode: retry\npolicy: {max_attempts: 2, jitter: 0.1}\n")
    monkeypatch.setenv("BASETEN_WATCHDOG_MODE", "retry")
    monkeypatch.setenv("BASETEN_WATCHDOG_POLICY__MAX_ATTEMPTS", "5")

    loaded = load_config(path, overrides={"mode": "observe"})

    assert loaded.config.mode == "observe"
    assert (loaded.config.policy.max_attempts, loaded.config.policy.jitter) == (5, 0.1)
    assert loaded.sources == {
        "mode": "command line",
        "policy.max_attempts": "BASETEN_WATCHDOG_POLICY__MAX_ATTEMPTS",
        "policy.jitter": f"file {path}",
    }


@pytest.mark.parametrize(
    ("variables", "problems"),
    [
        (
            {"BASETEN_WATCHDOG_POLICY__MAX_ATEMPTS": "5"},
            [
                (
                    "BASETEN_WATCHDOG_POLICY__MAX_ATEMPTS: no such setting: "
                    "did you mean BASETEN_WATCHDOG_POLICY__MAX_ATTEMPTS?"
                )
            ],
        ),
        (
            {"BASETEN_WATCHDOG_POLICY_MAX_ATTEMPTS": "5", "BASETEN_WATCHDOG_SERVER_PORT": "1"},
            [
                (
                    "BASETEN_WATCHDOG_POLICY_MAX_ATTEMPTS: no such setting: "
                    "did you mean BASETEN_WATCHDOG_POLICY__MAX_ATTEMPTS?"
                ),
                (
                    "BASETEN_WATCHDOG_SERVER_PORT: no such setting: "
                    "did you mean BASETEN_WATCHDOG_SERVER__PORT?"
                ),
            ],
        ),
        (
            {"BASETEN_WATCHDOG_CONFG": "a.yaml", "baseten_watchdog_config": "a.yaml"},
            [
                ("BASETEN_WATCHDOG_CONFG: no such setting: did you mean BASETEN_WATCHDOG_CONFIG?"),
                ("baseten_watchdog_config: no such setting: did you mean BASETEN_WATCHDOG_CONFIG?"),
            ],
        ),
        (
            {"BASETEN_WATCHDOG_MODE": "retry", "baseten_watchdog_mode": "observe"},
            [("baseten_watchdog_mode: sets the same as BASETEN_WATCHDOG_MODE: unset one of them")],
        ),
        (
            {"BASETEN_WATCHDOG_MODE__X": "1"},
            [
                "BASETEN_WATCHDOG_MODE__X: no such setting: did you mean BASETEN_WATCHDOG_MODE?",
            ],
        ),
        (
            {"BASETEN_WATCHDOG_MODELS__0__ID": "abc123"},
            [
                (
                    "BASETEN_WATCHDOG_MODELS__0__ID: no such setting: "
                    "did you mean BASETEN_WATCHDOG_MODELS?"
                )
            ],
        ),
        (
            {"BASETEN_WATCHDOG_RULES__MATCH": '["a"]'},
            [
                (
                    "BASETEN_WATCHDOG_RULES__MATCH: no such setting: "
                    "did you mean BASETEN_WATCHDOG_RULES?"
                )
            ],
        ),
        (
            {"BASETEN_WATCHDOG_MODE": ""},
            ["BASETEN_WATCHDOG_MODE: empty: give it a value, or unset it"],
        ),
        (
            {"BASETEN_WATCHDOG_MODELS": "abc123"},
            [
                (
                    "BASETEN_WATCHDOG_MODELS: must be JSON, as lists and sections are in the "
                    'environment, like ["BUILD_FAILED"] or [{"id": "abc123"}]'
                )
            ],
        ),
        (
            {"BASETEN_WATCHDOG_DISCOVERY": "team-a/*"},
            [
                (
                    "BASETEN_WATCHDOG_DISCOVERY: must be JSON, as lists and sections are in the "
                    'environment, like ["BUILD_FAILED"] or [{"id": "abc123"}]'
                )
            ],
        ),
        (
            {"BASETEN_WATCHDOG_WATCH__INTERVAL": "60"},
            [
                (
                    "BASETEN_WATCHDOG_WATCH__INTERVAL: watch.interval: a duration needs a unit: "
                    "60 seconds are written 60s"
                )
            ],
        ),
        (
            {"BASETEN_WATCHDOG_POLICY": '{"max_atempts": 5}'},
            [
                (
                    "BASETEN_WATCHDOG_POLICY: policy.max_atempts: no such setting: "
                    "did you mean max_attempts?"
                )
            ],
        ),
        (
            {"BASETEN_WATCHDOG_MODELS": '[{"id": "../x"}]'},
            [
                (
                    "BASETEN_WATCHDOG_MODELS: models[0].id: is no model id: letters, digits, "
                    "- and _, at most 64, as in the model's URL"
                )
            ],
        ),
        (
            {"BASETEN_WATCHDOG_NOTIFY": '{"name": "a"}'},
            ["BASETEN_WATCHDOG_NOTIFY: notify: must be a list"],
        ),
        (
            {"BASETEN_WATCHDOG_DISCOVERY": "{}"},
            ["BASETEN_WATCHDOG_DISCOVERY: discovery.include: is missing"],
        ),
        (
            {"BASETEN_WATCHDOG_POLICY__ALLOWED_TIMES__TIMEZONE": "UTC"},
            [
                (
                    "BASETEN_WATCHDOG_POLICY__ALLOWED_TIMES__TIMEZONE: "
                    "policy.allowed_times.cron: is missing"
                )
            ],
        ),
        (
            {
                "BASETEN_WATCHDOG_LOGGING": "null",
                "BASETEN_WATCHDOG_POLICY": '{"max_atempts": null}',
            },
            [
                (
                    "BASETEN_WATCHDOG_POLICY: policy.max_atempts: no such setting: "
                    "did you mean max_attempts?"
                )
            ],
        ),
        (
            {"BASETEN_WATCHDOG_LOGGING": '["debug"]'},
            [
                (
                    "BASETEN_WATCHDOG_LOGGING: logging: must hold settings, each on a line of its "
                    "own below it"
                )
            ],
        ),
        (
            {"BASETEN_WATCHDOG_POLICY": '{"max_attempts": 2, "max_attempts": 3}'},
            ["BASETEN_WATCHDOG_POLICY: the key 'max_attempts' is there twice"],
        ),
        (
            {"BASETEN_WATCHDOG_MODELS": '[{"id": "a", "policy": {"jitter": 0, "jitter": 1}}]'},
            ["BASETEN_WATCHDOG_MODELS: the key 'jitter' is there twice"],
        ),
        (
            {"BASETEN_WATCHDOG_MODELS": "[" * 100_000},
            [
                (
                    "BASETEN_WATCHDOG_MODELS: must be JSON, as lists and sections are in the "
                    'environment, like ["BUILD_FAILED"] or [{"id": "abc123"}]'
                )
            ],
        ),
        (
            {"BASETEN_WATCHDOG_POLICY__MAX_ATTEMPTS": "7"},
            [
                (
                    "BASETEN_WATCHDOG_POLICY__MAX_ATTEMPTS: policy.max_attempts_per_window: 6 is "
                    "below max_attempts (7), which could never be reached"
                )
            ],
        ),
    ],
    ids=[
        "misspelt",
        "single-underscore",
        "file-misspelt",
        "twice",
        "below-a-value",
        "model-by-number",
        "below-a-list",
        "empty",
        "list-not-json",
        "section-not-json",
        "wrong-value",
        "unknown-in-section",
        "wrong-in-list",
        "section-for-list",
        "empty-section-lacks-a-setting",
        "lacks-another-setting",
        "empty-unknown-setting",
        "list-for-section",
        "key-twice",
        "key-twice-below",
        "nested-too-deeply",
        "breaks-a-rule-with-a-default",
    ],
)
def test_refuses_a_variable_by_its_name(
    variables: dict[str, str], problems: list[str], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigError) as caught:
        load(path, "logging: {level: debug}")

    assert list(caught.value.problems) == problems


def test_names_the_variable_that_a_model_inherits_from(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASETEN_WATCHDOG_POLICY__CAUSES", '{"network_backoff": {"backoff": "0s"}}')
    monkeypatch.setenv("BASETEN_WATCHDOG_POLICY__HEALTHY_RESET", "1s")

    with pytest.raises(ConfigError) as caught:
        load(path, "models: [{id: a, policy: {jitter: 0}}]")

    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "BASETEN_WATCHDOG_POLICY__CAUSES",
        "BASETEN_WATCHDOG_POLICY__HEALTHY_RESET",
        "BASETEN_WATCHDOG_POLICY__CAUSES",
        "BASETEN_WATCHDOG_POLICY__HEALTHY_RESET",
    ]


def test_reads_lists_and_sections_as_json(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASETEN_WATCHDOG_MODELS", '[{"id": "abc123", "name": "llama"}]')
    monkeypatch.setenv("BASETEN_WATCHDOG_POLICY", '{"max_attempts": 2, "jitter": 0.1}')
    monkeypatch.setenv("BASETEN_WATCHDOG_POLICY__JITTER", "0.2")
    monkeypatch.setenv("BASETEN_WATCHDOG_POLICY__RETRY_ON", '["FAILED"]')

    loaded = load(path, "models: [{id: of-the-file}]\npolicy: {first_delay: 1s}")

    policy = policies(loaded.config)["abc123"]
    assert (policy.max_attempts, policy.jitter, policy.retry_on) == (
        2,
        0.2,
        frozenset({"FAILED"}),
    )
    assert policy.first_delay == timedelta(seconds=1)
    assert loaded.sources["policy.max_attempts"] == "BASETEN_WATCHDOG_POLICY"
    assert loaded.sources["policy.jitter"] == "BASETEN_WATCHDOG_POLICY__JITTER"


def test_an_empty_value_of_a_variable_was_not_given(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MODELS", "POLICY", "NOTIFY", "POLICY__RETRY_ON", "CAUSES", "DISCOVERY"):
        monkeypatch.setenv(f"BASETEN_WATCHDOG_{name}", "null")
    monkeypatch.setenv("BASETEN_WATCHDOG_FLEET", '{"max_in_flight": null, "breaker": null}')

    loaded = load(
        path, "models: [{id: a}]\npolicy: {retry_on: [FAILED]}\nfleet: {max_in_flight: 2}"
    )

    assert [model.id for model in loaded.config.models] == ["a"]
    assert loaded.config.policy.retry_on == ("FAILED",)
    assert loaded.config.fleet.max_in_flight == 2
    assert loaded.sources == {
        "models": f"file {path}",
        "policy.retry_on": f"file {path}",
        "fleet.max_in_flight": f"file {path}",
        "discovery": "BASETEN_WATCHDOG_DISCOVERY",
    }


def test_leaves_alone_what_kubernetes_says_of_services(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "SERVICE_HOST": "10.0.0.1",
        "SERVICE_PORT": "9464",
        "SERVICE_PORT_METRICS": "9464",
        "PORT": "tcp://10.0.0.1:9464",
        "PORT_9464_TCP": "tcp://10.0.0.1:9464",
        "PORT_9464_TCP_PROTO": "tcp",
        "PORT_9464_TCP_PORT": "9464",
        "PORT_9464_TCP_ADDR": "10.0.0.1",
        "METRICS_SERVICE_HOST": "10.0.0.1",
    }.items():
        monkeypatch.setenv(f"BASETEN_WATCHDOG_{name}", value)

    assert load(path).sources == {}


def test_a_value_like_a_services_is_still_ours(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASETEN_WATCHDOG_SERVER__PORT", "tcp://10.0.0.1:9464")

    with pytest.raises(ConfigError, match=r"server\.port: must be a whole number"):
        load(path)


def test_asked_for_models_keep_their_names_and_rules(path: Path) -> None:
    text = "models: [{id: a, name: llama, policy: {max_attempts: 2}}, {id: b}]"

    config = load(path, text, "new", "a", "a").config

    assert [(model.id, model.name) for model in config.models] == [("new", None), ("a", "llama")]
    assert [policy.max_attempts for policy in policies(config).values()] == [4, 2]


def test_refuses_a_model_id_of_the_command_line_as_such(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--model: models\[1\]\.id: is no model id: "):
        load(path, "", "abc123", "../x")


def test_a_models_own_rules_stand_on_the_common_ones(path: Path) -> None:
    text = (
        "policy: {max_attempts: 2, standing: ignore}\n"
        "models: [{id: a, policy: {max_attempts: 3}}, {id: b}]"
    )

    found = policies(load(path, text).config)

    assert (found["a"].max_attempts, found["b"].max_attempts) == (3, 2)
    assert found["a"].standing is Standing.IGNORE


def test_the_fleets_limits_are_what_the_file_says(path: Path) -> None:
    text = "fleet: {max_retries_per_minute: 1, max_in_flight: 2, max_attempts_per_window: 30}"

    assert load(path, text).config.fleet_limits() == FleetLimits(
        max_retries_per_minute=1, max_in_flight=2, max_attempts_per_window=30
    )


def test_the_breakers_rules_are_what_the_file_says(path: Path) -> None:
    text = "{min_failures: 4, ratio: 0.5, max_failures: 9, window: 5m, cooldown: 1h}"

    assert load(path, f"fleet: {{breaker: {text}}}").config.breaker_rules() == BreakerRules(
        min_failures=4,
        ratio=0.5,
        max_failures=9,
        window=timedelta(minutes=5),
        cooldown=timedelta(hours=1),
    )


def test_the_ledger_stands_in_the_users_state_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    assert load_config().config.store.url == f"sqlite:///{tmp_path}/baseten-watchdog/ledger.db"


@pytest.mark.parametrize("home", [None, "nowhere"], ids=["none", "relative"])
def test_a_user_without_a_home_directory_is_asked_for_a_place(
    home: str | None, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(_: int) -> NoReturn:
        raise KeyError

    monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    if home is not None:
        monkeypatch.setenv("HOME", home)

    with pytest.raises(ConfigError) as refused:
        load(path)

    (problem,) = refused.value.problems
    assert problem.startswith(f"{path}: store.url: this user has no home directory")
    assert "XDG_STATE_HOME" in problem
    assert load(path, "store: {url: 'sqlite:///ledger.db'}").config.store.url.startswith("sqlite")


@pytest.mark.parametrize("source", ["file", "environment"])
def test_relative_paths_start_at_the_folder_of_the_file(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "50% of #1?"
    folder.mkdir()
    text = "store: {url: 'sqlite:///data/ledger.db'}\nbaseten: {api_key_file: key}"
    if source == "environment":
        monkeypatch.setenv("BASETEN_WATCHDOG_STORE__URL", "sqlite:///data/ledger.db")
        monkeypatch.setenv("BASETEN_WATCHDOG_BASETEN__API_KEY_FILE", "key")
        text = ""
    monkeypatch.chdir(tmp_path)

    (folder / "watchdog.yaml").write_text(text)
    loaded = load_config(Path(folder.name) / "watchdog.yaml")

    assert make_url(loaded.config.store.url).database == str(folder / "data/ledger.db")
    assert loaded.config.baseten.api_key_file == folder / "key"
    assert loaded.warnings == ()


def test_shows_no_ledger_url_in_its_repr() -> None:
    config = load_config().config

    assert config.store.url not in repr(config)
