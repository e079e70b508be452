"""`status`: what it selects, in which order, in which form, and what it says of the whole."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.fakes.processes import cli
from tests.fakes.shown import LONG, in_every_state, model, refused, well, write
from watchdog.clock import SystemClock
from watchdog.domain.discovery import Discovered
from watchdog.domain.records import Decision, DecisionKind, DecisionReason, Health
from watchdog.domain.removal import unwatched
from watchdog.domain.replica import Replica
from watchdog.engine.fleet import api_state, discovered
from watchdog.engine.fleet.api_state import ApiState
from watchdog.engine.fleet.teams import save as save_teams
from watchdog.engine.ports import LedgerTransaction
from watchdog.engine.settings import MODE
from watchdog.ledger import Role, SqlLedger

ALL = ["g4v3upup", "br0kenbr", "w41twait", "r3covers", "w3llwell"]
"""The most urgent first."""


def daemon(tx: LedgerTransaction, *, silent: timedelta = timedelta(0)) -> None:
    now = tx.now() - silent
    tx.replicas.save(Replica("daemon:desk:1", "1", now, now, now, active=True))


def names(folder: Path, *arguments: str) -> list[str]:
    shown = cli("status", *arguments, "-o", "name", "--config", folder / "watchdog.yaml")
    assert shown.exit_code == 0, shown.stderr
    return shown.stdout.split()


@pytest.mark.parametrize(
    ("arguments", "selected"),
    [
        ("", ALL),
        ("--state needs_you", ALL[:2]),
        ("--state needs-you --state failing", ALL[:3]),
        ("--state exhausted", ALL[:1]),
        ("--state well", ["w3llwell"]),
        ("llama-*", ["g4v3upup", "w41twait"]),
        ("llama-* --state failing", ["w41twait"]),
        (f"{LONG} mistral", ["w41twait", "r3covers"]),
        ("--team research", ["br0kenbr", "w3llwell"]),
        ("--team research --team team-a --state needs_you", ALL[:2]),
        ("--team research --team research", ["br0kenbr", "w3llwell"]),
        ("research/w* --state well", ["w3llwell"]),
        ("--sort name", ["br0kenbr", "w41twait", "g4v3upup", "r3covers", "w3llwell"]),
        ("--sort status", ["w3llwell", "r3covers", "g4v3upup", "w41twait", "br0kenbr"]),
    ],
)
def test_what_is_selected_and_in_which_order(
    arguments: str, selected: list[str], tmp_path: Path
) -> None:
    teams = {"br0kenbr": "research", "w3llwell": "research"}
    others = dict.fromkeys(["g4v3upup", "w41twait", "r3covers"], "team-a")
    write(tmp_path, in_every_state(), more=lambda tx: save_teams(tx, teams | others))
    assert names(tmp_path, *arguments.split()) == selected


def test_which_models_need_me_and_why_is_one_command(tmp_path: Path) -> None:
    config = write(
        tmp_path,
        [*in_every_state(), *(well(f"m{number}", f"m-{number}") for number in range(295))],
        [refused("g4v3upup", "the archive has expired")],
    )
    shown = cli("status", "--state", "needs_you", "--config", config).stdout
    table = [line.split() for line in shown.splitlines() if line.startswith(("g4v3", "br0k"))]
    assert [row[0] for row in table] == ["g4v3upup", "br0kenbr"]
    assert "refused_twice: the archive has expired" in shown
    assert "its status is not retried: a person is needed." in shown
    assert shown.startswith("300 models: 2 need you, ")


def test_a_broken_model_needs_a_person_also_while_it_is_paused(tmp_path: Path) -> None:
    decided = Decision(DecisionKind.NOTHING, DecisionReason.BROKEN)
    broken = model("br0kenbr", "flux", "UNHEALTHY", Health.BROKEN, decided)
    config = write(tmp_path, [broken, well("w3llwell", "whisper")])
    assert cli("pause", "flux", "--for", "1h", "--config", config).exit_code == 0
    shown = cli("status", "--state", "needs_you", "--config", config).stdout
    assert "broken, paused" in shown
    assert "broken: It does not work, nobody stopped it" in shown
    assert "w3llwell" not in shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--state sick", "there is no state 'sick': it is one of needs_you, failing, "),
        ("nobody", "there is no model 'nobody'"),
        ("no*body", "no model matches 'no*body'"),
        ("--watch -o wide", "leave --json and --output out"),
        ("--json -o name", "give either --json or --output"),
        ("--team team-a --team team-b", "no model is in the team 'team-b'"),
    ],
)
def test_a_mistake_is_one_line(arguments: str, says: str, tmp_path: Path) -> None:
    teams = {each.model_id: "team-a" for each in in_every_state()}
    config = write(tmp_path, in_every_state(), more=lambda tx: save_teams(tx, teams))
    shown = cli("status", *arguments.split(), "--config", config)
    assert shown.exit_code == 2
    assert says in shown.stderr
    assert len(shown.stderr.splitlines()) == 1


def with_one_that_left(folder: Path) -> Path:
    """A configuration that no longer has the model `flux`, which was watched."""
    left = unwatched(in_every_state()[3], (), SystemClock().now()).target
    config = write(folder, [*in_every_state()[:3], left])
    settings = json.loads(config.read_text())
    settings["models"].pop()
    config.write_text(json.dumps(settings))
    return config


@pytest.mark.parametrize("named", ["flux", "br0kenbr"])
def test_a_model_that_left_is_shown_where_it_is_named(named: str, tmp_path: Path) -> None:
    config = with_one_that_left(tmp_path)
    shown = cli("status", named, "--config", config)
    assert shown.exit_code == 0, shown.stderr
    said = {line[:15].strip(): line[15:] for line in shown.stdout.splitlines()[:4]}
    assert said["model"] == "flux (br0kenbr)"
    assert said["watched"] == "not any more: this is what was recorded last"
    table = cli("status", named, "whisper", "--config", config).stdout
    assert "not watched any more" in table
    (one,) = json.loads(cli("status", named, "--json", "--config", config).stdout)["targets"]
    assert (one["model_id"], one["watched"], one["next_attempt_at"]) == ("br0kenbr", False, None)
    assert cli("history", named, "--config", config).exit_code == 0


def test_a_model_that_left_is_not_listed_or_counted(tmp_path: Path) -> None:
    config = with_one_that_left(tmp_path)
    for arguments in ((), ("*",), ("w3llwell", "*")):
        shown = cli("status", *arguments, "--config", config).stdout
        assert shown.startswith("3 models: ")
        assert "br0kenbr" not in shown


def test_a_model_that_left_cannot_be_reset(tmp_path: Path) -> None:
    done = cli("reset", "flux", "--yes", "--config", with_one_that_left(tmp_path))
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1] == (
        "error: br0kenbr: not reset: it is neither configured nor discovered, so it has no limits"
    )


def test_a_discovered_model_can_be_reset(tmp_path: Path) -> None:
    found = {"br0kenbr": Discovered("flux", "team-a")}
    config = write(tmp_path, in_every_state(), more=lambda tx: discovered.save(tx, found))
    settings = json.loads(config.read_text())
    config.write_text(json.dumps(settings | {"models": [], "discovery": {"include": ["*"]}}))
    done = cli("reset", "flux", "--yes", "--config", config)
    assert (done.exit_code, done.stdout) == (0, "reset br0kenbr\n"), done.stderr


@pytest.mark.parametrize("command", ["pause flux --for 1h", "resume flux"])
def test_a_command_about_a_model_that_left_says_so(command: str, tmp_path: Path) -> None:
    config = with_one_that_left(tmp_path)
    assert cli("pause", "br0kenbr", "--for", "2h", "--config", config).exit_code == 0
    done = cli(*command.split(), "--config", config)
    assert done.exit_code == 0
    assert done.stderr == "warning: br0kenbr is not watched any more\n"


def refuses(tx: LedgerTransaction) -> None:
    daemon(tx)
    api_state.save(tx, ApiState(key_accepted=False, refused="401"))


def away(tx: LedgerTransaction) -> None:
    daemon(tx)
    api_state.save(tx, ApiState(key_accepted=True, up=False, failure="timeout"))


def answers(tx: LedgerTransaction) -> None:
    daemon(tx)
    api_state.save(tx, ApiState(key_accepted=True, up=True))


def observes(tx: LedgerTransaction) -> None:
    answers(tx)
    tx.meta.set(MODE, "observe")


@pytest.mark.parametrize(
    ("prepare", "summary", "note"),
    [
        (answers, "API ok", "replica desk/1 active"),
        (refuses, "API refuses the key", "the API refuses the key (HTTP 401): nothing is"),
        (away, "API away", "the API answers no request (timeout): nothing is retried"),
        (observes, "sends nothing · API ok", "mode: observe: the daemon decides and records"),
        (lambda _: None, "no daemon", "no daemon is running"),
    ],
)
def test_what_keeps_all_models_waiting_is_said(
    prepare: Callable[[LedgerTransaction], None], summary: str, note: str, tmp_path: Path
) -> None:
    config = write(tmp_path, in_every_state(), more=prepare)
    shown = cli("status", "--config", config).stdout
    assert shown.splitlines()[0].endswith(summary)
    assert note in shown
    assert ("no daemon is running" in shown) is (summary == "no daemon")
    found = json.loads(cli("status", "--json", "--config", config).stdout)
    assert found["summary"]["needs_you"] == 2
    assert found["fleet"]["window_remaining"] == found["fleet"]["window_allowed"] == 50


def test_a_spent_budget_is_said(tmp_path: Path) -> None:
    config = write(tmp_path, in_every_state(), [refused("g4v3upup", "no", ago=timedelta(hours=1))])
    settings = json.loads(config.read_text()) | {"fleet": {"max_attempts_per_window": 1}}
    settings["fleet"] |= {"max_in_flight": 1, "max_retries_per_minute": 1}
    settings["policy"] = {"max_attempts_per_window": 1, "max_attempts": 1}
    config.write_text(json.dumps(settings))
    shown = cli("status", "--config", config).stdout
    assert "fleet 0 of 1 left today" in shown
    assert "the fleet's 1 retries of 24 hours are spent: the next one is possible in 2" in shown


async def test_a_daemon_that_lives_and_writes_nothing_is_not_taken_for_none(tmp_path: Path) -> None:
    silent = timedelta(minutes=5)
    config = await asyncio.to_thread(
        write, tmp_path, in_every_state(), more=lambda tx: daemon(tx, silent=silent)
    )
    ledger = SqlLedger.open(
        f"sqlite:///{tmp_path}/ledger.db",
        clock=SystemClock(),
        base_url="https://api.baseten.co",
        role=Role.DAEMON,
    )
    shown = await asyncio.to_thread(cli, "status", "--config", config)
    await ledger.close()
    assert "a daemon is running, and has written nothing for 5m" in shown.stdout
    assert "no daemon is running" not in shown.stdout
