"""What a user sees on a terminal, compared by its text."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from tests.fakes.shown import LONG, in_every_state, refused, well, write
from tests.fakes.terminal import printed, terminal
from watchdog.domain.records import Action, ActionKind, Breakage
from watchdog.engine.ports import LedgerTransaction


def narrow(text: str) -> list[str]:
    return text.strip("\n").splitlines()


def pause_and_break(tx: LedgerTransaction) -> None:
    now = tx.now()
    until, note = now + timedelta(hours=1), "incident"
    tx.actions.add(Action(now, ActionKind.PAUSE, None, "ann@desk", note, until=until))
    began = now - timedelta(hours=4)
    tx.breakages.begin([Breakage("w3llwell", began, "UNHEALTHY", began + timedelta(hours=2))])


def test_status_in_80_columns_keeps_what_matters_and_breaks_no_word(tmp_path: Path) -> None:
    config = write(tmp_path, in_every_state(), [refused("g4v3upup", "the archive has expired")])
    assert printed("status", "--config", config) == narrow("""
5 models: 2 need you, 1 failing, 1 recovering, 1 well · fleet 50 of 50 left
  today · no daemon

NAME                        STATE       SINCE   NEXT   WHY
llama-3.1-70b…on-eu-west-2  exhausted   2d ago  -      refused_twice: the…
flux                        broken      2d ago  -      broken
llama-3.1-70b…tion-eu-west  waiting     2d ago  in 3d  backoff
mistral                     recovering  2d ago  -      attempt_under_way
whisper                     healthy     2d ago  -      healthy

refused_twice: The API refused two retries in a row: a person is needed.
broken: It does not work, nobody stopped it, and its status is not retried: a
  person is needed.

no daemon is running: this is how the last one left it
""")


def test_no_models_is_a_sentence(tmp_path: Path) -> None:
    config = write(tmp_path, [])
    for command, says in [("status", "No model is watched"), ("history", "no history yet")]:
        assert says in printed(command, "--config", config)[0]


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("command", ["status", "history", "config show", "status g4v3upup"])
def test_nothing_is_folded_by_the_terminal(command: str, columns: int, tmp_path: Path) -> None:
    config = write(tmp_path, in_every_state(), [refused("g4v3upup", "it has expired " * 20)])
    with terminal(*command.split(), "--config", config, columns=columns) as opened:
        assert opened.wait() == 0
        assert len(opened.lines) == opened.written.count(b"\n")
        assert all(len(line) <= columns for line in opened.lines)


NO_SIZES = ["0", "1", "-3", "some", "\u00b2", "9" * 8, "9" * 30, ""]


@pytest.mark.parametrize("size", NO_SIZES)
def test_a_size_that_no_terminal_has_is_not_believed(size: str, tmp_path: Path) -> None:
    config = write(tmp_path, in_every_state())
    with terminal("status", "--config", config, COLUMNS=size, LINES=size) as opened:
        assert opened.wait() == 0
        heading = opened.lines[3].split()
        assert (heading[:2], heading[-1]) == (["NAME", "STATE"], "WHY")


@pytest.mark.parametrize("columns", [1, 10])
def test_a_terminal_that_is_far_too_narrow_still_gets_the_table(
    columns: int, tmp_path: Path
) -> None:
    config = write(tmp_path, in_every_state())
    with terminal("status", "--config", config, columns=columns, rows=200) as opened:
        assert opened.wait() == 0
        assert "broken" in "".join(opened.lines)


def test_help_fits_whatever_the_environment_says_of_the_terminal() -> None:
    with terminal("status", "--help", COLUMNS="0") as opened:
        assert opened.wait() == 0
        assert "Show what the ledger knows of each model, the most" in "\n".join(opened.lines)


@pytest.mark.parametrize(
    ("zone", "shown"),
    [("Foo/Bar", "UTC"), ("nowhere", "UTC"), ("UTC", "UTC"), ("CET-1", "CET"), ("XST5", "XST")],
)
def test_an_unknown_time_zone_is_utc(zone: str, shown: str, tmp_path: Path) -> None:
    until = timedelta(hours=1)

    def pause(tx: LedgerTransaction) -> None:
        tx.actions.add(Action(tx.now(), ActionKind.PAUSE, None, "a", "", until=tx.now() + until))

    config = write(tmp_path, [well("w3llwell", "whisper")], more=pause)
    for command in ("history", "status"):
        with terminal(command, "--config", config, TZ=zone) as opened:
            assert opened.wait() == 0
            text = "\n".join(opened.lines)
        assert (f"TIME ({shown})" if command == "history" else f"{shown} by a") in text


def test_the_history_in_80_columns(tmp_path: Path) -> None:
    config = write(tmp_path, [well("w3llwell", "whisper")], more=pause_and_break)
    moment = r"(20[0-9-]{8}|[A-Z][a-z]{2} [0-9]{2}) [0-9:]{8}"
    lines = [re.sub(moment, "AT", line) for line in printed("history", "--config", config)]
    assert [re.split(r"  +", line) for line in lines] == [
        ["TIME (CET)", "NAME", "WHAT", "RESULT", "BY", "DETAIL"],
        ["AT", "all", "pause", "ann@desk", "for 1h; incident"],
        ["AT", "whisper", "broken ended", "broken for 2h"],
        ["AT", "whisper", "broken: UNHEALTHY"],
    ]


def test_one_model_in_detail(tmp_path: Path) -> None:
    config = write(tmp_path, in_every_state(), [refused("g4v3upup", "the archive has expired")])
    lines = printed("status", "g4v3upup", "--config", config)
    said = {line[:15].strip(): line[15:] for line in lines if line[:1].strip()}
    assert said["model"] == f"{LONG}-2 (g4v3upup)"
    assert said["why"] == "refused_twice: The API refused two retries in a row: a person is"
    assert lines[3] == " " * 15 + "needed."
    assert said["last attempt"] == "number 1, 2d ago: refused: the archive has expired"
    assert said["attempts"] == "1 of 4 in this failure, 6 of 6 left in its window"


def test_the_watched_table_scrolls_and_counts_what_it_does_not_show(tmp_path: Path) -> None:
    config = write(tmp_path, [well(f"m{number:03}", f"model-{number:03}") for number in range(300)])
    with terminal("status", "--watch", "--config", config) as opened:
        screen = opened.until("rows above")
        assert len(screen) == 24
        assert screen[-1] == "0 rows above, 280 below: arrow keys scroll; q ends"
        rows = [line.split()[1] for line in screen[2:22]]
        assert rows == [f"model-{number:03}" for number in range(20)]
        opened.type("\x1b[B")
        screen = opened.until("1 rows above, 279 below")
        assert screen[2].startswith("m001 ")
        opened.type("\x1b[6~")
        screen = opened.until("21 rows above, 259 below")
        assert screen[2].startswith("m021 ")
        opened.type("q")
        assert opened.wait() == 0
