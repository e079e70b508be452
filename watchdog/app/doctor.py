"""Checks everything that the daemon needs, and reports whether each is right, wrong or not
known."""

import http.client
import os
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from sqlalchemy import make_url

from watchdog import __version__
from watchdog.app.commands import read_ledger
from watchdog.app.diagnosed import Diagnosed, Verdict
from watchdog.app.doctor_api import api_findings
from watchdog.app.health import ask_health
from watchdog.app.parts import SetupError, make_settings
from watchdog.config import LoadedConfig
from watchdog.domain.replica import Replica, ReplicaState
from watchdog.engine.ports import LedgerTransaction
from watchdog.serving import listen
from watchdog.text.duration import format_duration
from watchdog.text.phrases import signature

_NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs"}
)
"""SQLite's locks cannot be relied on there: https://sqlite.org/lockingv3.html, section 6."""


async def examine(
    loaded: LoadedConfig, file: Path | None, environ: Mapping[str, str]
) -> AsyncIterator[Diagnosed]:
    """Yields each finding as soon as it is known. Sends no retry and writes nothing."""
    for each in _configuration(loaded, file):
        yield each
    async for each in api_findings(loaded, environ):
        yield each
    yield await _ledger(loaded)
    yield _network(environ)
    yield _port(loaded)


def _configuration(loaded: LoadedConfig, file: Path | None) -> Iterator[Diagnosed]:
    config = loaded.config
    text = str(file) if file else "no file: only defaults, environment and arguments"
    yield Diagnosed("configuration", Verdict.GOOD, text)
    for warning in loaded.warnings:
        yield Diagnosed("configuration", Verdict.UNKNOWN, warning, "change it, unless it is meant")
    if not config.watches_any:
        remedy = "list models under `models:`, or write a file with `baseten-watchdog init`"
        yield Diagnosed("models", Verdict.BAD, "nothing is configured to be watched", remedy)
    pace = make_settings(config, owner="").effective_interval
    if pace > config.watch.interval:
        text = f"{len(config.models)} models cannot be checked every {config.watch.interval}"
        remedy = f"set watch.interval to at least {format_duration(pace)}"
        yield Diagnosed("limits", Verdict.BAD, text, remedy)
    elif config.models:
        fleet = config.fleet
        text = (
            f"{len(config.models)} models each {format_duration(config.watch.interval)}; at most "
            f"{fleet.max_retries_per_minute} retries a minute and {fleet.max_attempts_per_window} "
            "in 24 hours"
        )
        yield Diagnosed("limits", Verdict.GOOD, text)


async def _ledger(loaded: LoadedConfig) -> Diagnosed:
    url = make_url(loaded.config.store.url)
    shown = loaded.config.store.display_url
    if url.get_backend_name() == "sqlite":
        found = _file(Path(url.database or ""), shown)
        if found is not None:
            return found
    try:
        text = await read_ledger(loaded.config, lambda tx: _daemons(tx, loaded))
    except SetupError as error:
        remedy = "start the daemon, or correct store.url"
        return Diagnosed("ledger", Verdict.BAD, str(error), remedy)
    return Diagnosed("ledger", Verdict.GOOD, f"{shown}: {text}")


def _file(file: Path, shown: str) -> Diagnosed | None:
    """What is known of the ledger without opening it."""
    if (problem := _file_problem(file)) is not None:
        remedy = "name a writable file on a local disk as store.url"
        return Diagnosed("ledger", Verdict.BAD, f"{shown}: {problem}", remedy)
    if not file.exists():
        return Diagnosed("ledger", Verdict.GOOD, f"{shown}: not there yet, and can be made")
    return None


def _file_problem(file: Path) -> str | None:
    """Why a SQLite ledger cannot be kept there."""
    existing = next(path for path in (file, *file.absolute().parents) if path.exists())
    if existing == file and not file.is_file():
        return "is not a file"
    if existing != file and not existing.is_dir():
        return f"cannot be made: {existing} is not a directory"
    if not os.access(existing, os.W_OK):
        return "cannot be written by this user"
    kind = _file_system(existing)
    return f"is on a network file system ({kind})" if kind in _NETWORK_FILE_SYSTEMS else None


def _file_system(path: Path) -> str:
    """The kind of the file system that holds a path, as the kernel calls it; empty if not known."""
    try:
        mounts = Path("/proc/mounts").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    file = path.resolve()
    found = [line.split()[1:3] for line in mounts if len(line.split()) > 2]
    holding = [(where, kind) for where, kind in found if file.is_relative_to(where)]
    return max(holding, key=lambda each: len(each[0]), default=("", ""))[1]


def _daemons(tx: LedgerTransaction, loaded: LoadedConfig) -> str:
    now = tx.now()
    living = [each for each in tx.replicas.all() if each.state(now) is not ReplicaState.GONE]
    if not living:
        return "readable; no daemon is running on it"
    return f"readable; {'; '.join(_daemon(tx, each, now, loaded) for each in living)}"


def _daemon(tx: LedgerTransaction, replica: Replica, now: datetime, loaded: LoadedConfig) -> str:
    words = f"{signature(replica.id)} is {replica.state(now)}"
    if replica.version != __version__:
        words += f", of version {replica.version} (this is {__version__})"
    if tx.replicas.configured([replica.id]) != frozenset(
        model.id for model in loaded.config.models
    ):
        words += ", with other models configured"
    return words


def _network(environ: Mapping[str, str]) -> Diagnosed:
    proxies = sorted(set(urllib.request.getproxies()) - {"no"})
    authorities = environ.get("SSL_CERT_FILE") or environ.get("SSL_CERT_DIR") or "built in"
    proxy = f"proxy for {', '.join(proxies)}" if proxies else "no proxy"
    return Diagnosed("network", Verdict.GOOD, f"{proxy}; CA certificates: {authorities}")


def _port(loaded: LoadedConfig) -> Diagnosed:
    server = loaded.config.server
    where = f"{server.host}:{server.port}"
    try:
        listen(server.host, server.port).close()
    except OSError as error:
        if _is_daemon(server.host, server.port):
            return Diagnosed("page", Verdict.GOOD, f"a daemon answers at http://{where}")
        text = f"cannot listen on {where}: {error.strerror}"
        return Diagnosed("page", Verdict.BAD, text, "set another server.port")
    return Diagnosed("page", Verdict.GOOD, f"{where} is free")


def _is_daemon(host: str, port: int) -> bool:
    try:
        status, _ = ask_health(host, port)
    except (OSError, http.client.HTTPException):
        return False
    return status in (http.client.OK, http.client.SERVICE_UNAVAILABLE)
