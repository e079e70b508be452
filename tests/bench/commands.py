"""What the commands cost, each a new process, as a container or an operator runs them all day."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

from tests.bench.measure import (
    Figures,
    Row,
    Scale,
    ids,
    interleaved,
    measured,
    server,
    values,
    workplace,
)
from tests.bench.seeded import seed
from tests.fakes.processes import command, daemon, environment, running

_MODELS = 300
_EPISODES = 3000
_API = "https://api.baseten.co"
"""The default. No command that is measured here asks it."""

_HEAVY = (
    "alembic",
    "apscheduler",
    "httpx",
    "prometheus_client",
    "sqlalchemy",
    "uvicorn",
)
_BOUNDS = {"health": 0.06, "status": 0.35, "history": 0.35, "--help": 0.15}
"""Seconds of CPU."""

_FLOORS = {
    "curl": "`curl` of /healthz",
    "nothing": "a Python process that imports nothing",
    "sqlalchemy": "a Python process that imports sqlalchemy",
}


def of_the_commands(scale: Scale) -> list[Row]:
    """`health` beside a running daemon; the others with a configuration of its own and a ledger of
    300 models with a history. Beside each is the floor under it."""
    with tempfile.TemporaryDirectory(prefix="watchdog-bench-") as name, _ledger(scale) as config:
        env = _environment(Path(name), config)
        with _daemon(Path(name)) as (asked, port):
            typed: Mapping[str, Sequence[str]] = {
                "curl": ("curl", "--silent", f"http://127.0.0.1:{port}/healthz"),
                "nothing": (sys.executable, "-c", ""),
                "sqlalchemy": (sys.executable, "-c", "import sqlalchemy"),
                **{each: command(each) for each in ("health", "status", "history")},
                **{each: command(each) for each in ("--help", "--version")},
                "config show": command("config", "show"),
                "config check": command("config", "check"),
                "pause": command("pause", ids(_MODELS)[0], "--for", "1s"),
            }
            envs = {each: asked if each == "health" else env for each in typed}
            runs = {each: partial(_run, typed[each], envs[each]) for each in typed}
            interleaved(runs, 1)  # This compiles the modules.
            found = interleaved(runs, scale.times)
    rows = []
    for each in typed:
        what = _FLOORS.get(each, f"`{each}`, whole")
        cpu = values(found[each], "cpu_seconds")
        rows.append(measured(9, what, cpu, "s CPU", at_most=_BOUNDS.get(each)))
    return [*rows, *_libraries()]


def _libraries() -> Iterator[Row]:
    for said in ("--version", "config check config/example.yaml"):
        modules = _loaded(*said.split())
        what = f"heavy libraries that `{said}` loads"
        named = ", ".join(sorted(modules)) or "none"
        yield Row(9, what, len(modules), "", named, at_most=0, sure=True)


@contextmanager
def _ledger(scale: Scale) -> Iterator[Path]:
    models = ids(_MODELS)
    with workplace(_API, models) as config:
        seed(config, models, spread=timedelta(minutes=1), past=scale.of(_EPISODES))
        yield config


@contextmanager
def _daemon(folder: Path) -> Iterator[tuple[dict[str, str], int]]:
    """A daemon that watches one model; the environment of a `health` that asks it, and its port."""
    with server() as url, workplace(url, ids(1)) as config:
        env = _environment(folder, config)
        with running(daemon(config, XDG_STATE_HOME=env["XDG_STATE_HOME"])) as process:
            process.event("started")
            (note,) = folder.rglob("address")
            yield env, int(note.read_text().partition(" ")[0])


def _environment(folder: Path, config: Path) -> dict[str, str]:
    """With byte code, as an installed program has it, wherever this one is started."""
    env = environment(
        XDG_STATE_HOME=str(folder / "state"),
        PYTHONPYCACHEPREFIX=str(folder / "compiled"),
        BASETEN_WATCHDOG_CONFIG=str(config),
    )
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    return env


def _run(arguments: Sequence[str], env: Mapping[str, str]) -> Figures:
    process = subprocess.Popen(
        arguments, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    with process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{said}")
    return {"cpu_seconds": used.ru_utime + used.ru_stime}


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
