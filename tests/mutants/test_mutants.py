"""Each safety rule is held by a test: a watchdog that breaks it makes that test fail."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


# Processes of their own: what forks must not have threads, as a worker of pytest-xdist does.
@pytest.mark.parametrize(
    "module",
    [
        pytest.param("tests.mutants", id="every-broken-watchdog-is-caught"),
        pytest.param("tests.mutants.impostors", id="every-impostor-is-found-out"),
    ],
)
def test_mutants(module: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", module], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
