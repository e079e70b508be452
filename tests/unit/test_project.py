"""What the project promises about itself."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


LOCKS = ("requirements.lock", "requirements-dev.lock")


def locked(name: str) -> str:
    return (ROOT / name).read_text()


def pins(name: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9._-]+==[^ ]+)", locked(name), re.MULTILINE))


def test_nothing_brings_the_other_package_that_is_imported_as_watchdog() -> None:
    for lock in LOCKS:
        names = {pin.partition("==")[0] for pin in pins(lock)}
        assert {"apscheduler", "psycopg-binary"} <= names
        assert "watchdog" not in names


def test_what_is_tested_is_what_is_shipped() -> None:
    assert pins("requirements.lock") < pins("requirements-dev.lock")


def test_every_locked_package_has_hashes_and_no_index_is_named() -> None:
    for lock in LOCKS:
        entries = re.split(r"\n(?=\S)", locked(lock).strip())
        assert all("--hash=sha256:" in entry for entry in entries)
        assert "://" not in locked(lock)


def test_each_dependency_is_bounded_by_the_major_version_that_was_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    dependencies = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["postgres"],
        *(each for each in project["dependency-groups"]["dev"] if isinstance(each, str)),
    ]
    for dependency in dependencies:
        assert re.search(r">=.+,<|==", dependency), dependency


def test_the_command_line_starts_without_the_heavy_libraries() -> None:
    heavy = {
        *{"alembic", "apscheduler", "httpx", "prometheus_client", "sqlalchemy", "uvicorn"},
        *{"asyncio", "http.client", "pydantic", "rich.console", "yaml"},
        *{"watchdog.config", "watchdog.domain", "watchdog.engine", "watchdog.ledger"},
    }
    code = f"import sys, watchdog.cli.program; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_a_configuration_is_read_without_looking_for_plugins(tmp_path: Path) -> None:
    info = tmp_path / "plugin-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: plugin\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[pydantic]\nplugin = plugin_of_pydantic\n")
    (tmp_path / "plugin_of_pydantic.py").write_text("print('found')")
    done = subprocess.run(
        [sys.executable, "-m", "watchdog", "config", "check", "config/example.yaml"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "config/example.yaml: ok\n"


def test_the_demo_installs_the_program_and_nothing_for_its_tests() -> None:
    told = subprocess.run(
        ["make", "--dry-run", "--always-make", "demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "-r requirements.lock" in told
    assert "requirements-dev.lock" not in told
