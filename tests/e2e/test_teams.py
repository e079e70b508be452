"""Which team a model is in: in the log, in the metrics and in `status`, also after a restart."""

import signal
from pathlib import Path

from tests.fakes.processes import (
    config_file,
    daemon,
    emulator,
    eventually,
    free_port,
    get,
    put_faults,
    requests,
    running,
    set_status,
    targets,
    until_looked,
)

MODELS = [
    {"id": "aaaa1111", "name": "llama", "team": "chat", "deploys": [["ACTIVE"]]},
    {"id": "bbbb1111", "name": "sdxl", "team": "images", "deploys": [["ACTIVE"]]},
]

SOON = {"include": ["nothing"], "interval": "1s"}
"""Asks for the list of models each second."""


def teams(config: Path) -> dict[str, str | None]:
    return {model_id: target["team"] for model_id, target in targets(config).items()}


def test_the_team_of_a_configured_model_is_known_and_kept(tmp_path: Path) -> None:
    given = [{"id": "aaaa1111"}, {"id": "bbbb1111", "team": "mine"}]
    known = {"aaaa1111": "chat", "bbbb1111": "mine"}
    port = free_port()
    with emulator(tmp_path, MODELS) as api:
        config = config_file(tmp_path, api, [], models=given, server={"port": port})
        with running(daemon(config)) as process:
            process.event("started")
            eventually(lambda: teams(config) == known)
            _, metrics = get(f"http://127.0.0.1:{port}/metrics")
            for model_id, team in known.items():
                assert f'target_info{{model_id="{model_id}",model_name="",team="{team}",' in metrics
            process.stop()
        put_faults(api, [{"fault": "unavailable", "operation": "list_models"}])
        set_status(api, "aaaa1111", "BUILD_FAILED")
        with running(daemon(config)) as process:
            assert process.event("deployment_failing")["team"] == "chat"
            process.stop()
        assert teams(config) == known


def test_a_rule_that_does_not_apply_for_want_of_a_team_is_reported_once(tmp_path: Path) -> None:
    rules = [{"match": ["chat/*"], "policy": {"max_attempts": 1}}]
    with emulator(tmp_path, MODELS) as api:
        config = config_file(tmp_path, api, ["aaaa1111"], rules=rules, discovery=SOON)
        with running(daemon(config)) as process:
            warning = "does not apply to aaaa1111 (chat/llama)"
            assert warning in process.event("config_warning")["warning"]
            until_looked(api, "aaaa1111", 5)
            process.stop()
        assert sum(warning in line for line in process.lines) == 1


def test_a_model_that_joins_later_has_its_team_at_once(tmp_path: Path) -> None:
    with emulator(tmp_path, MODELS) as api:
        config = config_file(tmp_path, api, ["aaaa1111"])
        with running(daemon(config)) as process:
            process.event("started")
            eventually(lambda: teams(config) == {"aaaa1111": "chat"})
            config_file(tmp_path, api, ["aaaa1111", "bbbb1111"])
            process.signal(signal.SIGHUP)
            process.event("config_reloaded")
            assert teams(config) == {"aaaa1111": "chat", "bbbb1111": "images"}
            process.stop()


def test_where_the_file_gives_every_team_the_list_of_models_is_not_asked_for(
    tmp_path: Path,
) -> None:
    with emulator(tmp_path, MODELS) as api:
        config = config_file(tmp_path, api, [], models=[{"id": "aaaa1111", "team": "mine"}])
        with running(daemon(config)) as process:
            until_looked(api, "aaaa1111")
            assert teams(config) == {"aaaa1111": "mine"}
            process.stop()
        assert not [each for each in requests(api) if each["operation"] == "list_models"]
