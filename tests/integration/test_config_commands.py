import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from watchdog.cli import app

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


def test_check_warns_and_says_ok(path: Path) -> None:
    path.write_text("policy: {retry_on: []}")

    result = run("check", str(path))

    assert (result.exit_code, result.stdout) == (0, f"{path}: ok\n")
    assert result.stderr == (
        f"warning: {path}: policy.retry_on: empty, so nothing is ever retried\n"
    )


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


def test_schema_prints_the_schema_that_the_example_names() -> None:
    assert run("schema").stdout == (CONFIG / "schema.json").read_text()
    assert "$schema=schema.json" in (CONFIG / "example.yaml").read_text()
