"""What the chart's requests and limits come from: a daemon's use of memory and CPU, and the memory
of a command that is run beside it in the same container.

python -m tests.deploy.measure [TARGETS SECONDS]
"""

import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from math import ceil
from pathlib import Path

from tests.fakes.processes import command, config_file, daemon, emulator, environment, running

_RESERVE = 1.3
"""The limit is so many times what was measured: a mass failure and open pages need more."""

_STEP_MEBIBYTES = 64
_LOOK_SECONDS = 0.01


def main() -> None:
    targets, seconds = map(int, sys.argv[1:3] if len(sys.argv) == 3 else (100, 60))
    names = [f"model{number:05}" for number in range(targets)]
    models = [{"id": name, "name": name, "deploys": [["ACTIVE"]]} for name in names]
    with tempfile.TemporaryDirectory() as folder, emulator(Path(folder), models) as url:
        config = config_file(Path(folder), url, names, watch={"interval": "1m"})
        _measure(config, targets, seconds)


def _measure(config: Path, targets: int, seconds: int) -> None:
    with running(daemon(config)) as process:
        process.event("started")
        began, used = time.monotonic(), _cpu_seconds(process.pid)
        time.sleep(seconds)
        share = (_cpu_seconds(process.pid) - used) / (time.monotonic() - began)
        beside = _peak_of_a_command("status", "--config", config)
        own = _peak_mebibytes(process.pid)
        process.stop()
    needed = _STEP_MEBIBYTES * ceil(_RESERVE * (own + beside) / _STEP_MEBIBYTES)
    sys.stdout.write(
        f"{targets:,} models, each checked every minute if the request rate allows it: "
        f"{share * 1000:.0f}m CPU; at most {own:.0f} MiB, and {beside:.0f} MiB for `status` "
        f"beside it; {_RESERVE} times both, in steps of {_STEP_MEBIBYTES}: {needed} MiB\n"
    )
    sys.stdout.flush()


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _peak_mebibytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    (peak,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(peak) / 1024


def _peak_of_a_command(*arguments: str | Path) -> float:
    peak = 0.0
    with subprocess.Popen(
        command(*arguments), env=environment(), stdout=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            with suppress(ValueError):  # It has just ended.
                peak = _peak_mebibytes(process.pid)
            time.sleep(_LOOK_SECONDS)
    assert process.returncode == 0
    return peak


if __name__ == "__main__":
    main()
