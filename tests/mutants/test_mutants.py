"""Each safety rule is held by a test: a watchdog that breaks it makes that test fail."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutants.survivors import LIST, read

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


def test_whatever_may_survive_has_a_reason() -> None:
    listed = LIST.read_text()
    assert len(read(listed)) > 0
    with pytest.raises(ValueError, match="no reason"):
        read(listed + '[[survivor]]\nfunction = "f"\nline = "a"\ninstead = "b"\nreason = ""\n')
