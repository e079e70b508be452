"""What the chart's requests and limits come from: a daemon's use of memory and CPU.

python -m tests.deploy.measure [TARGETS] [SECONDS]
"""

import sys
import tempfile
import time
from pathlib import Path

from tests.fakes.processes import config_file, daemon, emulator, running


def main() -> None:
    targets, seconds = [*map(int, sys.argv[1:3]), 100, 60][:2] if len(sys.argv) > 2 else [100, 60]
    names = [f"model{number:03}" for number in range(targets)]
    models = [{"id": name, "name": name, "deploys": [["ACTIVE"]]} for name in names]
    with tempfile.TemporaryDirectory() as folder, emulator(Path(folder), models) as url:
        watch = {"interval": "10s", "recovery_interval": "10s"}
        policy = {"healthy_reset": "1m"}
        config = config_file(Path(folder), url, names, watch=watch, policy=policy)
        with running(daemon(config)) as process:
            process.event("started")
            began, used = time.monotonic(), _cpu_seconds(process.pid)
            time.sleep(seconds)
            share = (_cpu_seconds(process.pid) - used) / (time.monotonic() - began)
            sys.stdout.write(
                f"{targets} targets, each checked every 10 s: {share * 1000:.0f}m CPU,"
                f" at most {_peak_mebibytes(process.pid):.0f} MiB\n"
            )


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _peak_mebibytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    (peak,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(peak) / 1024


if __name__ == "__main__":
    main()
