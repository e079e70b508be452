"""The operators' commands, beside a running daemon and without one."""

import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.fakes.processes import (
    cli,
    config_file,
    daemon,
    emulator,
    posts,
    run,
    running,
    targets,
    until_looked,
)

FAILS: list[Any] = [["BUILD_FAILED"], [{"BUILDING": "1h"}, "ACTIVE"]]


def model(model_id: str, name: str, deploys: list[Any], **more: Any) -> dict[str, Any]:
    return {"id": model_id, "name": name, "deploys": deploys, **more}


def named(*models: dict[str, Any]) -> list[dict[str, str]]:
    return [{"id": each["id"], "name": each["name"]} for each in models]


def test_the_brake_works_without_a_daemon_and_before_the_first_one(tmp_path: Path) -> None:
    llama = model("llama123", "llama", FAILS)
    with emulator(tmp_path, [llama]) as api:
        config = config_file(tmp_path, api, [], models=named(llama))
        every = ("--all", "--for", "1h", "--config", config)
        first = cli("pause", *every, "--create", "--note", "a\x1b[2J\nb")
        assert first.exit_code == 0
        assert first.stderr.startswith("warning: there was no ledger at sqlite:///")
        assert cli("pause", "llama", "--for", "1h", "--config", config).stderr == ""
        assert cli("status", "--config", config).stdout.splitlines()[-1].endswith(r": a\x1b[2J\nb")
        assert cli("resume", "llama", "--config", config).stdout == (
            "resumed llama123; all models are paused: `resume --all`\n"
        )
        with running(daemon(config)) as process:
            process.event("deployment_failing")
            until_looked(api, "llama123")
            assert targets(config)["llama123"]["state"] == "paused"
            process.stop()
        assert posts(api) == []
        not_paused = cli("resume", "llama", "--config", config)
        assert not_paused.exit_code == 2
        assert "not paused; all models are paused: `resume --all`" in not_paused.stderr
        assert cli("resume", "--all", "--config", config).stdout == "resumed all models\n"
        assert cli("check", "--retry", "--config", config).exit_code == 0
        assert len(posts(api)) == 1


def test_a_pause_works_with_a_note_and_a_user_that_are_no_valid_text(tmp_path: Path) -> None:
    llama = model("llama123", "llama", FAILS)
    config = config_file(tmp_path, "http://127.0.0.1:9", [], models=named(llama))
    note, user = os.fsdecode(b"a\xffb\nc") + "x" * 600, os.fsdecode(b"ann\xe9")
    every = ("pause", "--all", "--create", "--for", "1h", "--note", note, "--config", config)
    paused = run(*every, LOGNAME=user)
    assert (paused.returncode, paused.stdout[:23]) == (0, "paused all models until")
    status = cli("status", "--config", config).stdout.splitlines()[-1]
    assert r" by ann\udce9@" in status
    assert r": a\udcffb\ncxxx" in status
    assert status.endswith("x...")


# On each model in this order: what is ordered, the exit status, and what it says.
DESK: list[tuple[str, str, int, str]] = [
    ("llama", "retry", 1, "not retried: paused"),
    ("llama", "pause --for 1h", 0, "paused llama123{} until"),
    ("llama", "reset --yes", 0, "reset llama123{}"),
    ("llama", "retry --force --yes", 0, "llama123{}: accepted"),
    ("llama", "retry --force --yes", 1, "llama123{}: not retried: attempt_under_way"),
    ("llama", "resume", 0, "resumed llama123{}"),
    ("refuses", "retry", 1, "not retried: refused_twice (--force ignores the model's own limits)"),
    ("refuses", "resume", 2, "refus3sx{}: not paused"),
    ("refuses", "reset", 2, "give --yes"),
    ("refuses", "pause --for 1h", 0, "paused refus3sx{} until"),
    ("refuses", "reset --yes", 0, "reset refus3sx{}"),
    ("slow", "retry", 1, "not retried: attempt_under_way"),
    ("slow", "resume", 2, "sl0wmodl{}: not paused"),
    ("slow", "pause --for 1h", 0, "paused sl0wmodl{} until"),
    ("slow", "reset --yes", 2, "a retry of sl0wmodl{} is under way"),
]
IDS = {"llama": "llama123", "refuses": "refus3sx", "slow": "sl0wmodl"}
BESIDE, AFTERWARDS = "-b", "-a"


def test_each_command_on_a_paused_an_exhausted_and_a_recovering_model(tmp_path: Path) -> None:
    models = [
        model(f"{IDS[name]}{mark}", f"{name}{mark}", FAILS, **more)
        for mark in (BESIDE, AFTERWARDS)
        for name, more in (("llama", {}), ("refuses", {"refuses": "it has expired"}), ("slow", {}))
    ]
    with emulator(tmp_path, models) as api:
        config = config_file(tmp_path, api, [], models=named(*models))
        for mark in (BESIDE, AFTERWARDS):
            cli("pause", f"llama{mark}", "--for", "1h", "--create", "--config", config)
        with running(daemon(config)) as process:
            for mark in (BESIDE, AFTERWARDS):
                process.said("retry_suppressed", f"llama123{mark}")
                process.said("gave_up", f"refus3sx{mark}")
                process.said("retry_accepted", f"sl0wmodl{mark}")
            order_everything(config, BESIDE)
            for expected in recorded(BESIDE):
                told = process.event("operator_action")
                assert (told["model_id"], told["action"]) == expected
            process.stop()
        order_everything(config, AFTERWARDS)
        history = json.loads(cli("history", "--json", "--config", config).stdout)
        assert len(posts(api)) == 2 * (1 + 2 + 1)
    noted = [(each["model_id"], each["action"]) for each in reversed(history["actions"])]
    assert noted[2:] == [*recorded(BESIDE), *recorded(AFTERWARDS)]


def order_everything(config: Path, mark: str) -> None:
    for name, order, status, says in DESK:
        command, *options = order.split()
        done = cli(command, f"{name}{mark}", *options, "--config", config)
        assert (order, done.exit_code) == (order, status), done.output
        assert says.format(mark) in done.output
        assert len(done.output.splitlines()) == 1


def recorded(mark: str) -> list[tuple[str, str]]:
    """The history afterwards: all that was done, and each retry that was ordered."""
    return [
        (IDS[name] + mark, order.split()[0])
        for name, order, status, _ in DESK
        if status == 0 or order.startswith("retry")
    ]


def test_a_file_that_changes_is_taken_up_whole_or_not_at_all(tmp_path: Path) -> None:
    llama, well = model("llama123", "llama", FAILS), model("w3llwell", "well", [["ACTIVE"]])
    with emulator(tmp_path, [llama, well]) as api:
        config = config_file(tmp_path, api, [], models=named(well))
        with running(daemon(config)) as process:
            process.event("started")
            settings = json.loads(config.read_text())
            replace_file(config, "models: [")
            assert "not YAML" in process.event("config_reload_failed")["problems"]
            replace_file(config, json.dumps({**settings, "models": []}))
            assert "removes 1 of 1 configured models" in process.event("config_warning")["warning"]
            settings |= {"models": named(well, llama), "server": {"port": 1}}
            replace_file(config, json.dumps(settings))
            assert "server: changed" in process.event("config_warning")["warning"]
            reloaded = process.event("config_reloaded")
            assert (reloaded["changed"], reloaded["targets"]) == ("models", 2)
            assert process.event("deployment_failing")["model_id"] == "llama123"
            process.signal(signal.SIGHUP)
            assert process.event("config_reloaded")["targets"] == 2
            process.stop()


def test_a_daemon_without_a_model_waits_for_one(tmp_path: Path) -> None:
    llama = model("llama123", "llama", FAILS)
    with emulator(tmp_path, [llama]) as api:
        config = config_file(tmp_path, api, [], models=[])
        with running(daemon(config)) as process:
            process.event("nothing_watched")
            settings = json.loads(config.read_text())
            replace_file(config, json.dumps({**settings, "models": named(llama)}))
            assert process.event("config_reloaded")["targets"] == 1
            assert process.event("deployment_failing")["model_id"] == "llama123"
            process.stop()


def replace_file(path: Path, text: str) -> None:
    """As a ConfigMap does: a symbolic link is swapped."""
    number = len(list(path.parent.glob("data-*")))
    data = path.parent / f"data-{number}"
    data.write_text(text)
    link = path.with_suffix(".new")
    link.symlink_to(data)
    link.replace(path)
