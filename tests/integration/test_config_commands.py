import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from watchdog.cli.program import app

CONFIG = Path(__file__).parents[2] / "config"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["config", *arguments])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "watchdog.yaml"


@pytest.mark.parametrize("forced", [{}, {"FORCE_COLOR": "1"}, {"PYTHONIOENCODING": "latin-1"}])
def test_a_pipe_gets_one_line_for_each_record(forced: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "watchdog.yaml"
    path.write_text(f"store: {{url: 'sqlite:////{'日' * 90}.db'}}", encoding="utf-8")
    command = [sys.executable, "-m", "watchdog", "config", "show", "--config", str(path)]
    shown = subprocess.run(command, env=os.environ | forced, capture_output=True, check=True)
    lines = shown.stdout.decode().splitlines()
    assert sum("store.url" in line and str(path) in line for line in lines) == 1


@pytest.mark.parametrize(
    "arguments", [("--version",), ("--help",), ("status", "--help"), ("config", "show")]
)
def test_a_closed_pipe_is_no_error_and_no_result(arguments: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "watchdog", *arguments]
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_check_says_that_a_file_is_ok(path: Path) -> None:
    path.write_text("models: [{id: abc123}]")

    result = run("check", str(path))

    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{path}: ok\n", "")


def test_the_file_may_be_named_by_the_environment(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("models: [{id: abc123}]")
    monkeypatch.setenv("BASETEN_WATCHDOG_CONFIG", str(path))
    shown = run("show")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert "abc123" in shown.stdout


def test_the_variable_that_names_the_file_may_end_in_a_newline(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("models: [{id: abc123}]")
    monkeypatch.setenv("BASETEN_WATCHDOG_CONFIG", f"{path}\n")
    assert run("check").stdout == f"{path}: ok\n"
    monkeypatch.setenv("BASETEN_WATCHDOG_CONFIG", " ")  # As an empty one: not given.
    monkeypatch.chdir(path.parent)
    path.rename("baseten-watchdog.yaml")
    assert run("check").stdout == "baseten-watchdog.yaml: ok\n"


@pytest.mark.parametrize("command", ["check", "show"])
@pytest.mark.parametrize(
    "named", [("{}",), ("--config", "{}"), ("-c", "{}"), ()], ids=["argument", "option", "c", "env"]
)
def test_the_file_is_named_in_one_way_or_the_other(
    named: tuple[str, ...], command: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("models: [{id: abc123}]")
    # An argument and an option go before the variable.
    monkeypatch.setenv("BASETEN_WATCHDOG_CONFIG", "/nowhere.yaml" if named else str(path))
    result = run(command, *(each.format(path) for each in named))
    assert (result.exit_code, result.stderr) == (0, "")
    assert str(path) in result.stdout

    both = run(command, str(path), "--config", str(path))
    assert (both.exit_code, both.stderr) == (2, "error: give either FILE or --config FILE\n")


def test_check_warns_and_says_ok(path: Path) -> None:
    path.write_text("models: [{id: a}]\npolicy: {retry_on: []}")

    result = run("check", str(path))

    assert (result.exit_code, result.stdout) == (0, f"{path}: ok\n")
    assert result.stderr == (
        f"warning: {path}: policy.retry_on: empty, so nothing is ever retried\n"
    )


def test_the_name_of_a_file_moves_no_cursor_and_breaks_no_line(tmp_path: Path) -> None:
    path = tmp_path / "esc\x1b[31m\n.yaml"
    path.write_text("models: [{id: a}]\npolicy: {retry_on: []}")
    shown = str(path).replace("\x1b", "\\x1b").replace("\n", "\\n")

    result = run("check", str(path))

    assert result.stdout == f"{shown}: ok\n"
    assert result.stderr.startswith(f"warning: {shown}: policy.retry_on: empty")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("content", ["", "models: []", "models:\nmode: observe"])
def test_check_warns_where_nothing_is_watched(
    content: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text(content)

    result = run("check", str(path))

    assert (result.exit_code, result.stdout) == (0, f"{path}: ok\n")
    assert result.stderr == (
        f"warning: {path}: models: none is configured, and none is discovered: nothing is watched\n"
    )
    monkeypatch.setenv("BASETEN_WATCHDOG_DISCOVERY", '{"include": ["*"]}')
    assert run("check", str(path)).stderr == ""


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (None, 0, "warning: {path}: baseten.api_key_file: {key} is not on this machine"),
        ("", 2, "error: {path}: no API key: the file {key} is empty"),
        ("a\nb", 2, "error: {path}: the API key from {key} is not one"),
        (" some-key\n", 0, ""),
    ],
    ids=["missing", "empty", "two-lines", "good"],
)
def test_check_reads_a_key_file_that_is_there(
    content: str | None, code: int, says: str, path: Path
) -> None:
    key = path.with_name("key")
    path.write_text("models: [{id: a}]\nbaseten: {api_key_file: key}")
    if content is not None:
        key.write_text(content)

    result = run("check", str(path))

    assert result.exit_code == code
    assert result.stderr.startswith(says.format(path=path, key=key))
    assert len(result.stderr.splitlines()) == (1 if says else 0)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("folder", "Is a directory"),
        ("null", "it is no regular file"),
        ("fifo", "it is no regular file"),
        ("file/ledger.db", "Not a directory"),
        ("loop", "Too many levels of symbolic links"),
        ("x" * 300, "its name is too long"),
        ("x" * 243, "its name is too long for a file beside it, whose name ends in .command.lock"),
        (f"{'x' * 300}/ledger.db", "File name too long"),
        ("x" * 242, None),
        ("file", None),
        ("nowhere/ledger.db", None),
    ],
)
def test_check_refuses_what_is_here_and_cannot_be_the_ledger(
    name: str, says: str | None, path: Path
) -> None:
    folder = path.parent
    (folder / "folder").mkdir()
    (folder / "null").symlink_to(os.devnull)
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "fifo")
    (folder / "file").touch()
    before = set(folder.iterdir()) | {path}
    path.write_text(f"models: [{{id: a}}]\nstore: {{url: 'sqlite:///{name}'}}")

    result = run("check", str(path))

    told = f"error: {path}: store.url: {folder / name} cannot be the ledger: {says}"
    assert (result.exit_code, result.stdout) == ((0, f"{path}: ok\n") if says is None else (2, ""))
    assert result.stderr.startswith(told) if says else result.stderr == ""
    assert set(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (None, 0, ["warning: {path}: notify[1].url_file: {file} is not on this machine"]),
        ("", 2, ["error: {path}: notify: chat: its URL is empty"]),
        ("slack://only-one-part", 2, ["error: {path}: notify: chat: its URL is incomplete or wr"]),
        ("nonsense://a", 2, ["error: {path}: notify: chat: its URL is neither one of"]),
        ("https://a.example\nb", 2, ["error: {path}: notify: chat: the file {file} has several"]),
        (
            "https://[",
            2,
            ["error: {path}: notify: chat: its URL cannot be used: the host"],
        ),
        ("https://hooks.example.com/x\n", 0, []),
    ],
    ids=["missing", "empty", "incomplete", "no-service", "several", "no-url", "good"],
)
def test_check_refuses_receivers_that_cannot_be_used(
    content: str | None, code: int, says: list[str], path: Path
) -> None:
    file = path.with_name("url")
    path.write_text(
        "models: [{id: a}]\nnotify:\n- {name: ops, url: 'https://hooks.example.com/ops'}\n"
        "- {name: chat, url_file: url}\n"
    )
    if content is not None:
        file.write_text(content)

    result = run("check", str(path))

    assert result.exit_code == code
    lines = result.stderr.splitlines()
    assert len(lines) == len(says)
    for line, begin in zip(lines, says, strict=True):
        assert line.startswith(begin.format(path=path, file=file))


def test_check_names_each_receiver_that_cannot_be_used(path: Path) -> None:
    path.write_text(
        "models: [{id: a}]\n"
        "notify: [{name: a, url: 'nonsense://s3cr3t'}, {name: b, url: 'mailto://s3cr3t'}]"
    )

    result = run("check", str(path))

    assert (result.exit_code, result.stdout) == (2, "")
    assert [line.split(": its")[0] for line in result.stderr.splitlines()] == [
        f"error: {path}: notify: a",
        f"error: {path}: notify: b",
    ]
    assert "s3cr3t" not in result.stderr


@pytest.mark.parametrize(
    ("url", "code", "seen"),
    [
        ("u:hunter2@db/ledger?sslpassword=s3cr3t", 0, "u:***@db/ledger?sslpassword=***"),
        ("u:hunter2@s3cr3t@db/ledger", 2, "write each @ as %40"),
    ],
)
def test_no_secret_of_the_ledgers_url_is_shown(url: str, code: int, seen: str, path: Path) -> None:
    path.write_text(f"store: {{url: 'postgresql+psycopg://{url}'}}")

    shown, checked = run("show", "--config", str(path)), run("check", str(path))

    assert (shown.exit_code, checked.exit_code) == (code, code)
    assert seen in shown.output
    assert "hunter2" not in shown.output + checked.output
    assert "s3cr3t" not in shown.output + checked.output


def test_check_tells_every_error_at_once(path: Path) -> None:
    path.write_text("watch: {concurrency: 0}\npolicy: {max_attempts: 7}\n")

    result = run("check", str(path))

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"error: {path}: watch.concurrency: must be at least 1\n"
        f"error: {path}: policy.max_attempts_per_window: 6 is below max_attempts (7), which could "
        "never be reached\n"
    )


def test_check_needs_a_file_that_is_there(path: Path) -> None:
    result = run("check", str(path))

    assert result.exit_code == 2
    assert result.stderr == f"error: {path}: cannot be read: No such file or directory\n"


def test_show_says_where_each_value_comes_from(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text("watch: {interval: 90s}")
    monkeypatch.setenv("BASETEN_WATCHDOG_MODE", "observe")

    result = run("show", "--config", str(path))

    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in result.stdout.splitlines()}
    assert rows["watch.interval"] == ["1m30s", f"file {path}"]
    assert rows["mode"] == ["observe", "BASETEN_WATCHDOG_MODE"]
    assert rows["policy.max_attempts"] == ["4", "default"]


def test_show_as_json_has_of_a_model_only_what_it_overrides(path: Path) -> None:
    path.write_text("models: [{id: abc123, policy: {backoff: 90s}}]")

    result = run("show", "--json", "--config", str(path))

    settings = {row["setting"]: row for row in json.loads(result.stdout)["settings"]}
    assert settings["models"]["value"] == [{"id": "abc123", "policy": {"backoff": "1m30s"}}]
    assert settings["models"]["source"] == f"file {path}"


def test_show_has_a_line_for_each_key_of_a_rule(path: Path) -> None:
    path.write_text(
        "rules:\n- {match: [team-a/*, llama-*], policy: {backoff: 90s}}\n- {match: [x], policy: {}}"
    )

    rows = {
        line.split()[0]: line.split(maxsplit=1)[1].split("  ")[0]
        for line in run("show", "--config", str(path)).stdout.splitlines()
        if line.startswith("rules")
    }
    assert rows == {
        "rules[0].match": "team-a/*, llama-*",
        "rules[0].policy.backoff": "1m30s",
        "rules[1].match": "x",
        "rules[1].policy": "-",
    }
    settings = json.loads(run("show", "--json", "--config", str(path)).stdout)["settings"]
    rule = next(row for row in settings if row["setting"] == "rules[0].match")
    assert rule["value"] == ["team-a/*", "llama-*"]
    assert rule["source"] == f"file {path}"


def test_schema_prints_the_schema_that_the_example_names() -> None:
    assert run("schema").stdout == (CONFIG / "schema.json").read_text()
    assert "$schema=schema.json" in (CONFIG / "example.yaml").read_text()


def test_the_values_are_shown_as_a_file_has_them(path: Path) -> None:
    path.write_text("models: [{id: m1}]\n")
    shown = run("show", str(path))
    values = {line.split()[0]: line.split()[1] for line in shown.stdout.splitlines()}
    assert values["diagnose"] == "true"
    assert not {"True", "False", "None"} & set(values.values())
