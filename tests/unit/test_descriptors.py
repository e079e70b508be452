"""The limit of open files, in a process of its own: a process cannot take back what it gave up."""

import subprocess
import sys

import pytest

_SHOW = "from watchdog.files.descriptors import raise_limit; print(raise_limit())"


@pytest.mark.parametrize("limits", ["ulimit -Sn 100; ulimit -Hn 300", "ulimit -n 300"])
def test_the_soft_limit_is_raised_to_the_hard_one(limits: str) -> None:
    shell = ["bash", "-c", f'{limits}; exec "$0" -c "$1"; ', sys.executable, _SHOW]
    done = subprocess.run(shell, capture_output=True, text=True, check=True)
    assert done.stdout == "300\n"
