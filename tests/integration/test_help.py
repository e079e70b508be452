"""Help, examples, completion, and the answer to a wrong command line."""

import shlex
from itertools import pairwise
from pathlib import Path

import pytest
from typer.main import get_command

from tests.fakes.processes import cli, run
from tests.fakes.shown import in_every_state, write
from watchdog.cli.examples import EXAMPLES
from watchdog.cli.program import app


def commands() -> set[str]:
    found = set()
    group = get_command(app)
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found |= {f"{name} {each}" for each in inner} if inner else {name}
    return found


def test_each_command_has_examples() -> None:
    assert set(EXAMPLES) == commands()


@pytest.mark.parametrize(
    ("command", "typed"),
    [(command, typed) for command, examples in EXAMPLES.items() for typed, _ in examples],
)
def test_each_example_is_a_right_command_line_and_in_the_help(command: str, typed: str) -> None:
    assert typed.startswith(command)
    shown = cli(*shlex.split(typed), "--help")
    assert shown.exit_code == 0, shown.stderr
    assert f"baseten-watchdog {typed}".split()[-1] in shown.stdout


@pytest.mark.parametrize("command", ["", "config", "cause", "notify", *EXAMPLES])
def test_an_option_without_a_value_has_no_type_in_the_help(command: str) -> None:
    shown = cli(*command.split(), "--help").stdout
    assert "--help" in shown
    assert "<bool>" not in shown


@pytest.mark.parametrize("command", EXAMPLES)
def test_the_sentences_of_the_help_are_folded_at_the_terminals_width(command: str) -> None:
    told = cli(*command.split(), "--help", COLUMNS="80").stdout
    shown = [line.strip() for line in told.splitlines()]
    described = shown[: next(at for at, line in enumerate(shown) if line.startswith("╭"))]
    for line, below in pairwise(described):
        if line and below:
            assert len(f" {line} {below.split()[0]}") > 79, (line, below)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("frob", "No such command 'frob'"),
        ("--frob", "No such option: --frob"),
        ("config frob", "see `baseten-watchdog config --help`"),
        ("status --stat", "No such option: --stat (Possible options: --sort, --state"),
        ("history --limit x", "Invalid value for '--limit'"),
        ("status --sort nope", "Invalid value for '--sort': 'nope' is not one of 'urgency', "),
        ("cause explain", "Missing argument 'FILE'"),
        ("status --sort name --sort why", "Option --sort is given twice: see"),
        ("pause a --for 1m --for=2m", "Option --for is given twice: see"),
        ("config show -c a.yaml --config b.yaml", "Option --config is given twice: see"),
    ],
)
def test_a_wrong_command_line_is_answered_in_one_line(typed: str, says: str) -> None:
    wrong = run(*typed.split())
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("error: ")
    assert says in wrong.stderr
    assert len(wrong.stderr.splitlines()) == 1
    assert wrong.stdout == ""


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("status fl", ["flux"]),
        ("pause --for 2h m", ["mistral"]),
        ("history wh", ["whisper"]),
        ("check --model w", ["w3llwell", "w41twait"]),
        ("status --state need", ["needs_you"]),
    ],
)
def test_a_shell_completes_the_names_of_models(
    words: str, completed: list[str], tmp_path: Path
) -> None:
    config = write(tmp_path, in_every_state())
    line = f"baseten-watchdog {words}"
    shown = run(
        _BASETEN_WATCHDOG_COMPLETE="complete_bash",
        COMP_WORDS=line,
        COMP_CWORD=str(len(line.split()) - 1),
        BASETEN_WATCHDOG_CONFIG=str(config),
    )
    assert shown.stdout.split() == completed


def test_a_shell_that_completes_sees_no_error(tmp_path: Path) -> None:
    shown = run(
        _BASETEN_WATCHDOG_COMPLETE="complete_bash",
        COMP_WORDS="baseten-watchdog status x",
        COMP_CWORD="2",
        BASETEN_WATCHDOG_CONFIG=str(tmp_path / "nowhere.yaml"),
    )
    assert (shown.stdout.split(), shown.stderr) == ([], "")
