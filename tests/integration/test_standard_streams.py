"""Standard streams that the caller closed, or that cannot be written, end no command in a
traceback, and no output is lost without a word."""

import subprocess
from pathlib import Path

import pytest

from tests.fakes.processes import (
    PATIENCE_SECONDS,
    command,
    config_file,
    emulator,
    environment,
)
from tests.fakes.shown import in_every_state, write

LOST = "error: cannot write the output: Bad file descriptor\n"


def redirected(redirection: str, *arguments: str | Path, **env: str) -> tuple[int, str, str]:
    """The exit status, what was printed, and what was said on standard error."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", *command(*arguments)],
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "arguments",
    ["pause llama-* --for 1m", "resume llama-*", "reset mistral", "retry flux --force"],
)
def test_a_command_that_asks_says_so_where_standard_input_is_closed(
    arguments: str, tmp_path: Path
) -> None:
    config = write(tmp_path, in_every_state())
    status, shown, told = redirected("<&-", *arguments.split(), "--config", config)
    assert (status, shown) == (2, "")
    assert "There is no terminal to ask on: give --yes" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("arguments", ["pause flux --for 1m", "status", "check -m flux"])
def test_a_command_that_asks_nothing_needs_no_standard_input(
    arguments: str, tmp_path: Path
) -> None:
    config = write(tmp_path, in_every_state())
    status, _, told = redirected("<&-", *arguments.split(), "--config", config)
    assert "Traceback" not in told
    assert status == (3 if "check" in arguments else 0)


@pytest.mark.parametrize("redirection", ["<&-", "</dev/null"])
def test_init_says_what_to_give_where_nobody_answers(redirection: str, tmp_path: Path) -> None:
    models = [{"id": "aaaa1111", "name": "llama", "team": "chat", "deploys": [["ACTIVE"]]}]
    with emulator(tmp_path, models) as url:
        file = tmp_path / "new.yaml"
        api = {"BASETEN_WATCHDOG_BASETEN__BASE_URL": url, "HOME": str(tmp_path)}
        status, _, told = redirected(redirection, "init", "--output", file, **api)
    says = "nobody answers on standard input: name models, or give --all, and --yes"
    assert (status, told) == (2, f"error: {says}\n")
    assert not file.exists()


def test_a_log_on_a_closed_standard_input_cannot_be_read() -> None:
    status, shown, told = redirected("<&-", "cause", "explain", "-")
    assert (status, shown, told) == (2, "", "error: -: cannot be read: Bad file descriptor\n")


@pytest.mark.parametrize("arguments", ["status", "status --json", "history", "config show"])
def test_a_closed_standard_output_is_an_output_that_cannot_be_written(
    arguments: str, tmp_path: Path
) -> None:
    config = write(tmp_path, in_every_state())
    assert redirected(">&-", *arguments.split(), "--config", config) == (2, "", LOST)


@pytest.mark.parametrize("arguments", ["--help", "status --help", "--version", "config schema"])
def test_help_needs_an_output_too(arguments: str) -> None:
    assert redirected(">&-", *arguments.split()) == (2, "", LOST)


def test_a_command_that_prints_nothing_needs_no_standard_output(tmp_path: Path) -> None:
    config = write(tmp_path, [])
    status, _, told = redirected(">&-", "status", "-o", "name", "--config", config)
    assert (status, told) == (0, "")


def test_an_error_that_nobody_can_read_is_still_told_by_the_exit_status(tmp_path: Path) -> None:
    config = config_file(tmp_path, "http://127.0.0.1:9", [])
    assert redirected("<&- 2>&-", "status", "--config", config) == (2, "", "")
    assert redirected("<&- >&- 2>&-", "status", "--config", config) == (2, "", "")
