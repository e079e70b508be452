"""`simulate` as a process: its output, wrong input, and Ctrl-C."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

from tests.fakes.simulated import FLEET

COMMAND = [sys.executable, "-m", "watchdog", "simulate"]
SMALL = ["--models", "10", "--days", "2", "--worlds", "2"]


def run(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *arguments], cwd=cwd, capture_output=True, text=True, check=False, timeout=120
    )


def test_it_compares_the_presets_in_a_table_in_words_and_in_a_picture(tmp_path: Path) -> None:
    done = run(*SMALL, "--svg", "picture.svg", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == "10 models, 2 days, 2 worlds, seed 1"
    named = [line.split()[0] for line in lines[3:7]]
    assert named == ["ours", "cron-loop", "fixed-10m", "doubling"]
    assert "cron-loop instead of ours:" in done.stdout
    assert (tmp_path / "picture.svg").read_text().startswith("<svg ")


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (run(*SMALL, "--json", "--seed", "3", cwd=tmp_path) for _ in range(2))
    assert first.stdout == second.stdout
    other = run(*SMALL, "--json", "--seed", "4", cwd=tmp_path)
    assert json.loads(other.stdout) != json.loads(first.stdout)


def test_a_configuration_is_compared_with_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text(FLEET)
    (tmp_path / "eager.yaml").write_text("policy: {max_attempts: 6, first_delay: 0s}\n")
    done = run("--fleet", "fleet.yaml", "-c", "eager.yaml", "--worlds", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "eager.yaml instead of ours:" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "tried"),
    [
        (["-c", "new.yaml", "-c", "old.yaml"], ["new.yaml", "old.yaml"]),
        (["--preset", "doubling", "-c", "new.yaml"], ["new.yaml", "doubling"]),
        (["-c", "new.yaml", "--preset", "ours"], ["ours", "new.yaml"]),
        (["--preset", "doubling"], ["ours", "doubling"]),
        (["--preset", "ours"], ["ours"]),
    ],
    ids=" ".join,
)
def test_the_others_are_compared_with_the_first(
    arguments: list[str], tried: list[str], tmp_path: Path
) -> None:
    for name in ("old.yaml", "new.yaml"):
        (tmp_path / name).write_text("")
    small = ["--models", "2", "--days", "1", "--worlds", "1", "--json"]
    done = run(*small, *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    policies = json.loads(done.stdout)["policies"]
    assert [each["policy"] for each in policies] == tried


def test_a_wrong_fleet_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text(FLEET.replace("models: 5", "models: 0"))
    done = run("--fleet", "fleet.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "error: fleet.yaml: models: must be at least 1\n"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--fleet", "nowhere.yaml"), "nowhere.yaml: cannot be read"),
        (("--fleet", "."), ".: cannot be read"),
        (("--models", "0"), "--models: must be from 1 to 100000"),
        (("--models", "1000000"), "--models: must be from 1 to 100000"),
        (("--days", "-1"), "--days: must be from 1 to 3650"),
        (("--worlds", "0"), "--worlds: must be from 1 to 10000"),
        (("--preset", "theirs"), "--preset: there is no theirs"),
        (("-c", "nowhere.yaml"), "nowhere.yaml: cannot be read"),
        ((*SMALL, "--svg", "no/folder.svg"), "no/folder.svg: cannot be written"),
        (("--preset", "\x1b[31m"), r"--preset: there is no \x1b[31m"),
    ],
)
def test_wrong_arguments_are_one_line(
    tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert problem in line


def test_a_picture_that_cannot_be_written_loses_no_numbers(tmp_path: Path) -> None:
    done = run(*SMALL, "--svg", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "error: .: cannot be written: Is a directory\n"
    assert "cron-loop instead of ours:" in done.stdout


def test_one_is_counted_as_one_and_a_policy_is_tried_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("policy: {first_delay: 1m}\n")
    done = run("--models", "1", "--days", "1", "--worlds", "1", "-c", "a", "-c", "a", cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert lines[0] == "1 model, 1 day, 1 world, seed 1"
    assert [line.split()[0] for line in lines[3:5]] == ["ours", "a"]
    assert lines[5] == ""


def test_a_terminal_shows_the_progress_and_ctrl_c_prints_what_was_done_so_far(
    tmp_path: Path,
) -> None:
    arguments = ["--models", "20", "--days", "2", "--worlds", "2000"]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=tmp_path,
        env=os.environ | {"TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        # A shell starts what it runs in the background with SIGINT ignored, and that is inherited.
        preexec_fn=_heed_interrupts,
    )
    os.close(theirs)
    shown = ""
    while not re.search(r"[1-9]%", shown):  # More than one world is done.
        shown += os.read(ours, 4096).decode(errors="replace")
    process.send_signal(signal.SIGINT)
    reader = Thread(target=_drain, args=(ours, told := bytearray()))
    reader.start()
    out, _ = process.communicate(timeout=60)
    reader.join()
    os.close(ours)
    assert process.returncode == 130
    assert re.search(rb"error: interrupted after \d+ of 2000 worlds", told)
    assert "cron-loop instead of ours:" in out


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _drain(terminal: int, told: bytearray) -> None:
    """Read what is written to a terminal until nobody has it open for writing any more."""
    with suppress(OSError):
        while read := os.read(terminal, 4096):
            told.extend(read)
