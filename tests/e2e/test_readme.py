"""The README says what is true: every command in it works, in the order in which it stands."""

import os
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.processes import (
    KEY,
    PATIENCE_SECONDS,
    Process,
    command,
    emulator,
    free_port,
)

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
MODELS = [{"id": "abc12345", "name": "llama-dev", "team": "team-a", "deploys": [["ACTIVE"]]}]


def lines() -> list[str]:
    """The lines of the README's shell blocks, without their comments."""
    blocks = re.findall(r"(?ms)^```sh\n(.*?)^```$", README)
    return [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()]


def commands() -> list[list[str]]:
    """The program's commands: those of the blocks, and those within sentences."""
    inline = re.findall(r"`(baseten-watchdog [^`]+)`", README)
    found = [line for line in (*lines(), *inline) if line.startswith("baseten-watchdog ")]
    return [shlex.split(line)[1:] for line in found]


@pytest.fixture
def user(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a new user, whose API is an emulator."""
    home = tmp_path / "home"
    home.mkdir()
    with emulator(tmp_path, MODELS) as url:
        kept = {name: value for name, value in os.environ.items() if name != "XDG_STATE_HOME"}
        yield kept | {
            "HOME": str(home),
            "BASETEN_API_KEY": KEY,
            "BASETEN_WATCHDOG_BASETEN__BASE_URL": url,
            "BASETEN_WATCHDOG_SERVER__PORT": str(free_port()),
            "PYTHONUNBUFFERED": "1",
        }


def test_every_command_of_the_readme_works(user: dict[str, str]) -> None:
    wanted = commands()
    assert {each[0] for each in wanted} >= {"models", "init", "doctor", "run", "status", "pause"}
    home = Path(user["HOME"])
    daemon: Process | None = None
    try:
        for arguments in wanted:
            if arguments[0] == "run":
                daemon = Process(command(*arguments), user, cwd=home)
                daemon.event("started")
                continue
            done = subprocess.run(
                command(*arguments),
                env=user,
                cwd=home,
                input="y\n",
                capture_output=True,
                text=True,
                timeout=PATIENCE_SECONDS,
                check=False,
            )
            assert (arguments, done.returncode, done.stderr) == (arguments, 0, "")
            assert done.stdout
    finally:
        if daemon is not None:
            daemon.kill()


def test_its_other_lines_name_what_is_there() -> None:
    others = [line for line in lines() if not line.startswith("baseten-watchdog ")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert others == [
        f"git clone {project['urls']['Repository']} && cd baseten-watchdog",
        "make demo",
        "export BASETEN_API_KEY=...",
    ]
    for target in re.findall(r"`?make ([\w-]+)", README):
        assert re.search(rf"(?m)^{target}:", (ROOT / "Makefile").read_text()), target


def test_it_is_short() -> None:
    assert len(README.split()) < 1200
