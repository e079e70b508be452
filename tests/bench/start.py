"""What it takes to start: until the first check is sent, and what the commands load."""

import os
import subprocess
import time
import urllib.request
from pathlib import Path

from tests.bench.measure import Figures, Row, Scale, ids, interleaved, median, server, workplace
from tests.bench.usage import cpu_seconds
from tests.fakes.processes import command, daemon, environment, running

_TARGETS = 10
_POLL_SECONDS = 0.01
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
"""In these /proc counts the CPU of a process."""

_HEAVY = (
    "alembic",
    "apscheduler",
    "httpx",
    "prometheus_client",
    "sqlalchemy",
    "uvicorn",
)


def of_the_daemon(scale: Scale) -> list[Row]:
    """New, with an empty ledger; and the commands, each a process of its own."""
    with server(log=True) as url, workplace(url, ids(_TARGETS)) as config:
        runs = {
            "run": lambda: _until_the_first_check(url),
            "version": lambda: _command("--version"),
            "check": lambda: _command("config", "check", str(config)),
        }
        found = interleaved(runs, scale.times)
    what = f"from the start to the first check sent, {_TARGETS} targets"
    rows = [Row(9, what, median(found["run"], "cpu_seconds"), "s CPU", "", at_most=1.0)]
    for name, said in (("version", "--version"), ("check", "config check")):
        rows.append(Row(9, f"`{said}`, whole", median(found[name], "cpu_seconds"), "s CPU", ""))
    example = Path("config/example.yaml")
    loaded = {said: _loaded(*said.split()) for said in ("--version", f"config check {example}")}
    for said, modules in loaded.items():
        named = ", ".join(sorted(modules)) or "none"
        what = f"heavy libraries that `{said}` loads"
        rows.append(Row(9, what, len(modules), "", named, at_most=0, sure=True))
    return rows


def _until_the_first_check(url: str) -> Figures:
    before = _asked(url)
    with workplace(url, ids(_TARGETS)) as config, running(daemon(config)) as process:
        while _asked(url) == before:
            time.sleep(_POLL_SECONDS)
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        return {"cpu_seconds": (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND}


def _asked(url: str) -> int:
    with urllib.request.urlopen(f"{url}/_bench/log") as answer:
        return bytes(answer.read()).count(b"GET")


def _command(*arguments: str) -> Figures:
    before = cpu_seconds()
    subprocess.run(command(*arguments), env=environment(), capture_output=True, check=True)
    return {"cpu_seconds": cpu_seconds() - before}


def _loaded(*arguments: str) -> set[str]:
    """The heavy libraries that a command imports."""
    python, *rest = command(*arguments)
    done = subprocess.run(
        [python, "-X", "importtime", *rest],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    names = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    return names & set(_HEAVY)
