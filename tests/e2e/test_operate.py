"""The brake and the hand on the wheel, beside a running daemon and without one."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.processes import (
    Process,
    config_file,
    daemon,
    emulator,
    posts,
    run,
    running,
)

LLAMA: dict[str, Any] = {
    "id": "llama123",
    "name": "llama",
    "deploys": [["BUILD_FAILED"], [{"BUILDING": "1s"}, "BUILD_FAILED"]],
}
FIXED: dict[str, Any] = {
    "id": "fixed123",
    "name": "fixed",
    "deploys": [["BUILD_FAILED"], [{"BUILDING": "1s"}, "ACTIVE"]],
}
REFUSES: dict[str, Any] = {
    "id": "refus3sx",
    "name": "refuses",
    "deploys": [["DEPLOY_FAILED"]],
    "refuses": "the archive has expired",
}
WELL: dict[str, Any] = {"id": "w3llwell", "name": "well", "deploys": [["ACTIVE"]]}
LATER = {"first_delay": "1h"}


def named(*models: dict[str, Any]) -> list[dict[str, str]]:
    return [{"id": model["id"], "name": model["name"]} for model in models]


def shown(config: Path, model_id: str) -> dict[str, Any]:
    targets = json.loads(run("status", "--json", "--config", config).stdout)["targets"]
    found: dict[str, Any] = {target["model_id"]: target for target in targets}[model_id]
    return found


def until_state(process: Process, config: Path, model_id: str, state: str) -> None:
    for _ in range(30):
        if shown(config, model_id)["state"] == state:
            return
    raise AssertionError(f"{model_id} never was {state}: {''.join(process.lines)}")


def test_a_running_daemon_obeys_a_pause_and_a_resume(tmp_path: Path) -> None:
    with emulator(tmp_path, [LLAMA]) as url:
        config = config_file(tmp_path, url, [], models=named(LLAMA), policy={"first_delay": "3s"})
        with running(daemon(config)) as process:
            process.event("deployment_failing")
            paused = run("pause", "llama", "--for", "2h", "--note", "hands off", "--config", config)
            assert paused.stdout.startswith("paused llama123 until 20")
            acted = process.event("operator_action")
            assert (acted["action"], acted["note"]) == ("pause", "hands off")
            until_state(process, config, "llama123", "paused")
            table = run("status", "--config", config).stdout
            assert "paused: llama123 until" in table
            assert table.rstrip().endswith(": hands off")
            assert posts(url) == []
            assert run("resume", "llama", "--config", config).stdout == "resumed llama123\n"
            process.event("retry_accepted")
        history = run("history", "llama", "--config", config).stdout
    assert history.count("hands off") == 1
    assert "resume" in history


def test_the_brake_works_without_a_daemon_and_before_the_first_one(tmp_path: Path) -> None:
    with emulator(tmp_path, [LLAMA]) as url:
        config = config_file(tmp_path, url, [], models=named(LLAMA))
        first = run("pause", "--all", "--for", "1h", "--note", "a\x1b[2J\nb", "--config", config)
        assert first.returncode == 0
        assert first.stderr.startswith("warning: there was no ledger at sqlite:///")
        assert run("pause", "llama", "--for", "1h", "--config", config).stderr == ""
        assert run("status", "--config", config).stdout.splitlines()[-1].endswith(r": a\x1b[2J\nb")
        assert run("resume", "llama", "--config", config).stdout == (
            "resumed llama123; all models are paused: `resume --all`\n"
        )
        with running(daemon(config)) as process:
            process.event("deployment_failing")
            until_state(process, config, "llama123", "paused")
            process.signal(signal.SIGTERM)
            assert process.wait() == 0
        assert posts(url) == []
        not_paused = run("resume", "llama", "--config", config)
        assert not_paused.returncode == 2
        assert "not paused; all models are paused: `resume --all`" in not_paused.stderr
        assert run("resume", "--all", "--config", config).stdout == "resumed all models\n"
        assert run("check", "--retry", "--config", config).returncode == 0
        assert len(posts(url)) == 1


def test_a_reset_lets_an_exhausted_target_be_retried_anew(tmp_path: Path) -> None:
    with emulator(tmp_path, [REFUSES]) as url:
        config = config_file(tmp_path, url, [], models=named(REFUSES))
        with running(daemon(config)) as process:
            process.event("gave_up")
            asked = run("reset", "refuses", "--config", config)
            assert asked.returncode == 2
            assert "give --yes" in asked.stderr
            done = run("reset", "refuses", "--yes", "--note", "pushed", "--config", config)
            assert (done.returncode, done.stdout) == (0, "reset refus3sx\n")
            process.event("gave_up")
        assert len(posts(url)) == 4


def test_a_manual_retry_that_is_waited_for(tmp_path: Path) -> None:
    with emulator(tmp_path, [FIXED, REFUSES, WELL]) as url:
        models = named(FIXED, REFUSES, WELL)
        config = config_file(tmp_path, url, [], models=models, policy=LATER)
        early = run("retry", "fixed", "--config", config)
        assert early.returncode == 1
        assert "not retried: first_delay, in " in early.stderr
        assert "--force passes the model's own limits" in early.stderr
        done = run("retry", "fixed", "--force", "--yes", "--wait", "--config", config)
        assert done.returncode == 0, done.stderr
        assert done.stdout == "fixed123: accepted\nfixed123: recovered\n"
        assert "BUILDING" in done.stderr
        refused = run("retry", "refuses", "--force", "--yes", "--config", config)
        assert refused.returncode == 1
        assert refused.stdout == "refus3sx: refused: the archive has expired\n"
        well = run("retry", "well", "--force", "--yes", "--config", config)
        assert well.returncode == 1
        assert well.stderr == "w3llwell: not retried: healthy\n"
        assert len(posts(url)) == 2


def test_a_manual_retry_beside_a_daemon_that_is_paused_or_recovering(tmp_path: Path) -> None:
    slow = {**LLAMA, "deploys": [["BUILD_FAILED"], [{"BUILDING": "1h"}, "ACTIVE"]]}
    with emulator(tmp_path, [slow]) as url:
        config = config_file(tmp_path, url, [], models=named(slow), policy=LATER)
        run("pause", "llama", "--for", "1h", "--config", config)
        with running(daemon(config)) as process:
            process.event("deployment_failing")
            until_state(process, config, "llama123", "paused")
            refused = run("retry", "llama", "--config", config)
            assert "not retried: paused" in refused.stderr
            forced = run("retry", "llama", "--force", "--yes", "--config", config)
            assert forced.returncode == 0, forced.stderr
            again = run("retry", "llama", "--force", "--yes", "--config", config)
            assert again.stderr == "llama123: not retried: attempt_under_way\n"
            assert process.event("operator_action")["action"] == "retry"
        assert len(posts(url)) == 1


SLOW: dict[str, Any] = {
    "id": "sl0wmodl",
    "name": "slow",
    "deploys": [["BUILD_FAILED"], [{"BUILDING": "1h"}, "ACTIVE"]],
}

# On each model in this order.
DESK: list[tuple[str, str, int, str]] = [
    ("llama", "retry", 1, "not retried: paused"),
    ("llama", "pause", 0, "paused llama123 until"),
    ("llama", "reset", 0, "reset llama123"),
    ("llama", "resume", 0, "resumed llama123"),
    ("refuses", "retry", 1, "not retried: refused_twice (--force passes the model's own limits)"),
    ("refuses", "resume", 2, "refus3sx: not paused"),
    ("refuses", "pause", 0, "paused refus3sx until"),
    ("refuses", "reset", 0, "reset refus3sx"),
    ("slow", "retry", 1, "not retried: attempt_under_way"),
    ("slow", "resume", 2, "sl0wmodl: not paused"),
    ("slow", "pause", 0, "paused sl0wmodl until"),
    ("slow", "reset", 2, "a retry of sl0wmodl is under way"),
]
OPTIONS = {"pause": ["--for", "1h"], "reset": ["--yes"]}


@pytest.mark.parametrize("beside_a_daemon", [True, False])
def test_each_command_on_a_paused_an_exhausted_and_a_recovering_model(
    tmp_path: Path, beside_a_daemon: bool
) -> None:
    with emulator(tmp_path, [LLAMA, REFUSES, SLOW]) as url:
        config = config_file(tmp_path, url, [], models=named(LLAMA, REFUSES, SLOW))
        run("pause", "llama", "--for", "1h", "--config", config)
        with running(daemon(config)) as process:
            process.event("started")
            until_state(process, config, "llama123", "paused")
            until_state(process, config, "refus3sx", "exhausted")
            until_state(process, config, "sl0wmodl", "recovering")
            if not beside_a_daemon:
                process.signal(signal.SIGTERM)
                assert process.wait() == 0
            for model, command, status, says in DESK:
                options = OPTIONS.get(command, [])
                done = run(command, model, *options, "--config", config)
                assert (command, done.returncode) == (command, status), done.stderr
                assert says in done.stdout + done.stderr
                assert len((done.stdout + done.stderr).splitlines()) == 1
        history = json.loads(run("history", "--json", "--config", config).stdout)
    noted = [(each["model_id"], each["action"]) for each in reversed(history["actions"])]
    assert noted == [("llama123", "pause"), *_recorded(DESK)]


def _recorded(desk: list[tuple[str, str, int, str]]) -> list[tuple[str, str]]:
    """What ends up in the history: all that was done, and each retry that was asked for."""
    ids = {model["name"]: model["id"] for model in (LLAMA, REFUSES, SLOW)}
    return [
        (ids[model], command)
        for model, command, status, _ in desk
        if status == 0 or command == "retry"
    ]


def test_the_fleets_limits_are_passed_by_nobody(tmp_path: Path) -> None:
    with emulator(tmp_path, [LLAMA, FIXED]) as url:
        fleet = {"max_retries_per_minute": 1}
        config = config_file(tmp_path, url, [], models=named(LLAMA, FIXED), fleet=fleet)
        assert run("retry", "llama", "--config", config).returncode == 0
        second = run("retry", "fixed", "--force", "--yes", "--config", config)
        assert second.returncode == 1
        assert "fleet_minute_spent" in second.stderr
        assert "--force" not in second.stderr
        assert len(posts(url)) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["pause", "llama"], "say how long: --for 2h"),
        (["pause", "--for", "2h"], "name a MODEL, or give --all"),
        (["pause", "llama", "--all", "--for", "2h"], "give either MODEL or --all"),
        (["pause", "llama", "--for", "soon"], "--for: "),
        (["pause", "llama", "--for", "0s"], "--for: must be more than 0s and at most 30d"),
        (["pause", "llama", "--for", "31d"], "--for: must be more than 0s and at most 30d"),
        (
            ["pause", "lama", "--for", "2h"],
            "there is no model 'lama': did you mean llama or llama123?",
        ),
        (["resume", "llama"], "llama123: not paused"),
        (["resume"], "name a MODEL, or give --all"),
        (["reset", "nobody", "--yes"], "there is no model 'nobody'"),
        (["reset", "llama", "--yes"], "the ledger does not know llama123 yet"),
        (["retry", "nobody"], "there is no model 'nobody'"),
        (["retry", "llama", "--force"], "give --yes"),
    ],
)
def test_each_wrong_use_is_one_line(tmp_path: Path, arguments: list[str], says: str) -> None:
    config = config_file(tmp_path, "http://127.0.0.1:9", [], models=named(LLAMA))
    wrong = run(*arguments, "--config", config)
    assert wrong.returncode == 2
    assert says in wrong.stderr
    assert len(wrong.stderr.splitlines()) == 1


def test_a_file_that_changes_is_taken_up_whole_or_not_at_all(tmp_path: Path) -> None:
    with emulator(tmp_path, [LLAMA, WELL]) as url:
        config = config_file(tmp_path, url, [], models=named(WELL), policy=LATER)
        with running(daemon(config)) as process:
            process.event("started")
            settings = json.loads(config.read_text())
            for number in range(10):
                replace_file(config, "models: [" + "x" * number)
                assert "not YAML" in process.event("config_reload_failed")["problems"]
            settings["models"] = []
            replace_file(config, json.dumps(settings))
            assert "no models to watch" in process.event("config_reload_failed")["problems"]
            settings |= {"models": named(WELL, LLAMA), "server": {"port": 1}}
            replace_file(config, json.dumps(settings))
            assert "server: changed" in process.event("config_warning")["warning"]
            reloaded = process.event("config_reloaded")
            assert (reloaded["changed"], reloaded["targets"]) == ("models", 2)
            assert process.event("deployment_failing")["model_id"] == "llama123"
            process.signal(signal.SIGHUP)
            assert process.event("config_reloaded")["targets"] == 2
            process.signal(signal.SIGTERM)
            assert process.wait() == 0


def replace_file(path: Path, text: str) -> None:
    """As a ConfigMap does: a symbolic link is swapped."""
    number = len(list(path.parent.glob("data-*")))
    data = path.parent / f"data-{number}"
    data.write_text(text)
    link = path.with_suffix(".new")
    link.symlink_to(data)
    link.replace(path)
