"""The program before the newest migration, run on a ledger that today's program has written."""

import io
import json
import re
import subprocess
import sys
import tarfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.fakes.postgres import shared
from tests.fakes.processes import (
    Process,
    cli,
    config_file,
    daemon,
    emulator,
    environment,
    posts,
    running,
    set_status,
    until_looked,
)

ROOT = Path(__file__).parents[2]
MIGRATIONS = "watchdog/ledger/migrations/versions"
FAILS = {
    "id": "fails4vr",
    "name": "fails",
    "deploys": [["BUILD_FAILED"], [{"BUILDING": "1h"}, "ACTIVE"]],
}


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout


def previous_program(folder: Path) -> Path:
    """The folder of the program as it was right before the newest migration and everything that was
    merged with it."""
    newest = max((ROOT / MIGRATIONS).glob("r*.py")).relative_to(ROOT)
    merged = ("--first-parent", "-m", "--diff-filter=A", "--format=%H", "-1")
    added = git("log", *merged, "--", str(newest)).decode().strip()
    archive = git("archive", f"{added}~1" if added else "HEAD", "watchdog", "requirements.lock")
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    install_what_is_missing(folder)
    return folder


def install_what_is_missing(folder: Path) -> None:
    """A roll-back brings the libraries back that today's program does not need any more."""
    lock = (folder / "requirements.lock").read_text()
    missing = [
        f"{wanted.name}{wanted.specifier}"
        for wanted in map(Requirement, re.findall(r"^\w.*?(?= *\\$)", lock, re.MULTILINE))
        if (wanted.marker is None or wanted.marker.evaluate()) and not is_installed(wanted)
    ]
    if missing:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "--target", str(folder), *missing], check=True)


def is_installed(wanted: Requirement) -> bool:
    try:
        distribution(wanted.name)
    except PackageNotFoundError:
        return False
    return True


def fail_again(api: str) -> None:
    """What was retried, once it has been seen to build."""
    until_looked(api, "fails4vr", 2, finds="BUILDING")
    set_status(api, "fails4vr", "BUILD_FAILED")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_previous_program_goes_on_where_todays_left_off(kind: str, tmp_path: Path) -> None:
    if (ROOT / ".git/shallow").exists():
        pytest.skip("a shallow clone does not have the previous program")
    url = f"sqlite:///{tmp_path}/ledger.db"
    if kind == "postgresql":
        url = shared().new_schema()
    previous = previous_program(tmp_path / "previous")
    with emulator(tmp_path, [FAILS]) as api:
        config = config_file(tmp_path, api, ["fails4vr"], store={"url": url})
        with running(daemon(config)) as todays:
            todays.event("retry_accepted")
            todays.stop()
        # -P: what is in the working directory is today's.
        arguments = [sys.executable, "-P", "-m", "watchdog", "run", "--config", str(config)]
        with running(Process(arguments, environment(PYTHONPATH=str(previous)))) as rolled_back:
            fail_again(api)
            rolled_back.event("retry_accepted")
            fail_again(api)
            rolled_back.event("gave_up")
            rolled_back.stop()
        assert not any("internal_error" in line for line in rolled_back.lines)
        assert len(posts(api)) == 2
        with running(daemon(config)) as todays:
            todays.event("started")
            shown = cli("history", "--json", "--config", config)
        assert [a["outcome"] for a in json.loads(shown.stdout)["attempts"]] == ["accepted"] * 2
    assert not (previous / MIGRATIONS / max((ROOT / MIGRATIONS).glob("r*.py")).name).exists()
