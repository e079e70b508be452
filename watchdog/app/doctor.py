"""Checks everything that the daemon needs, and reports whether each is right, wrong or not
known."""

import asyncio
import os
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime
from http import HTTPStatus
from pathlib import Path

from watchdog import __version__
from watchdog.app.doctor_api import api_results
from watchdog.app.doctor_result import DoctorResult, Verdict
from watchdog.app.health import ask_health
from watchdog.app.ledger import read_ledger
from watchdog.app.parts import make_notifier, make_settings
from watchdog.app.setup import SetupError
from watchdog.config import LoadedConfig
from watchdog.domain.replica import Replica, ReplicaState
from watchdog.engine.ports import LedgerTransaction, LedgerUnavailable
from watchdog.ledger.durability import settings_off
from watchdog.serving import listen, to_change
from watchdog.text.duration import format_duration
from watchdog.text.phrases import counted, signature
from watchdog.urls.ledger import ledger_url

_NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs"}
)
"""SQLite's locks cannot be relied on there: https://sqlite.org/lockingv3.html, section 6."""


async def examine(
    loaded: LoadedConfig, file: Path | None, environ: Mapping[str, str]
) -> AsyncIterator[DoctorResult]:
    """Yields each finding as soon as it is known. Sends no retry and writes nothing."""
    for each in _configuration(loaded, file):
        yield each
    async for each in api_results(loaded, environ):
        yield each
    ledger = await _ledger(loaded)
    yield ledger
    url = loaded.config.store.url
    if ledger.verdict is Verdict.GOOD and ledger_url(url).get_backend_name() == "postgresql":
        yield await asyncio.to_thread(_durability, url)
    yield _notifications(loaded)
    yield _network(environ)
    yield _port(loaded)


def _configuration(loaded: LoadedConfig, file: Path | None) -> Iterator[DoctorResult]:
    config = loaded.config
    text = str(file) if file else "no file: only defaults, environment and arguments"
    if config.mode == "observe":
        text += "; mode: observe, so no retry is sent"
    yield DoctorResult("configuration", Verdict.GOOD, text)
    for warning in loaded.warnings:
        yield DoctorResult(
            "configuration", Verdict.UNKNOWN, warning, "change it, unless it is what you want"
        )
    if not config.watches_any:
        remedy = "list models under `models:`, or write a file with `baseten-watchdog init`"
        yield DoctorResult("models", Verdict.BAD, "nothing is configured to be watched", remedy)
    pace = make_settings(config, owner="").effective_interval
    if pace > config.watch.interval:
        interval = format_duration(config.watch.interval)
        text = f"{counted(len(config.models), 'model')} cannot be checked every {interval}"
        remedy = f"set watch.interval to at least {format_duration(pace)}"
        yield DoctorResult("limits", Verdict.BAD, text, remedy)
    elif config.models:
        fleet = config.fleet
        text = (
            f"{counted(len(config.models), 'model')}, each checked every "
            f"{format_duration(config.watch.interval)}; at most {fleet.max_retries_per_minute} "
            f"retries a minute and {fleet.max_attempts_per_window} in 24 hours"
        )
        yield DoctorResult("limits", Verdict.GOOD, text)


async def _ledger(loaded: LoadedConfig) -> DoctorResult:
    url = ledger_url(loaded.config.store.url)
    shown = loaded.config.store.display_url
    if url.get_backend_name() == "sqlite":
        shown = url.database or shown
        found = _file(Path(url.database or ""), shown)
        if found is not None:
            return found
    try:
        text = await read_ledger(loaded.config, lambda tx: _daemons(tx, loaded))
    except SetupError as error:
        remedy = "start the daemon, or correct store.url"
        return DoctorResult("ledger", Verdict.BAD, str(error), remedy)
    return DoctorResult("ledger", Verdict.GOOD, f"{shown}: {text}")


def _file(file: Path, shown: str) -> DoctorResult | None:
    """Whether a SQLite ledger can be kept at this path, or None if only opening it can tell."""
    if (problem := _file_problem(file)) is not None:
        remedy = "name a writable file on a local disk as store.url"
        return DoctorResult("ledger", Verdict.BAD, f"{shown}: {problem}", remedy)
    if not file.exists():
        return DoctorResult("ledger", Verdict.GOOD, f"{shown}: not there yet, and can be made")
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
    same = replica.version == __version__
    words += f", version {replica.version}{'' if same else f' (this is {__version__})'}"
    here = frozenset(model.id for model in loaded.config.models)
    if tx.replicas.configured([replica.id]) == here:
        return f"{words}, with the same models configured"
    return f"{words}, with other models configured"


def _durability(url: str) -> DoctorResult:
    try:
        off = settings_off(url)
    except LedgerUnavailable as error:
        remedy = "run doctor again while the server answers"
        return DoctorResult("durability", Verdict.UNKNOWN, str(error), remedy)
    if off:
        text = (
            f"the server has {', '.join(off)} off: when it crashes, attempts may be missing in "
            "the ledger, and the limits are counted from it"
        )
        return DoctorResult("durability", Verdict.BAD, text, f"turn {', '.join(off)} on there")
    text = "fsync, full_page_writes and synchronous_commit are on"
    return DoctorResult("durability", Verdict.GOOD, text)


def _notifications(loaded: LoadedConfig) -> DoctorResult:
    config = loaded.config
    if not config.notify:
        return DoctorResult("notifications", Verdict.GOOD, "no receiver is configured")
    try:
        make_notifier(config)
    except SetupError as error:
        remedy = "correct it: docs/notifications.md has the form of each URL"
        return DoctorResult("notifications", Verdict.BAD, str(error), remedy)
    names = ", ".join(each.name for each in config.notify)
    text = f"the URLs of {names} can be used; nothing was sent: `baseten-watchdog notify test` does"
    return DoctorResult("notifications", Verdict.GOOD, text)


def _network(environ: Mapping[str, str]) -> DoctorResult:
    proxies = sorted(set(urllib.request.getproxies()) - {"no"})
    authorities = environ.get("SSL_CERT_FILE") or environ.get("SSL_CERT_DIR") or "built in"
    proxy = f"proxy for {', '.join(proxies)}" if proxies else "no proxy"
    return DoctorResult("network", Verdict.GOOD, f"{proxy}; CA certificates: {authorities}")


def _port(loaded: LoadedConfig) -> DoctorResult:
    server = loaded.config.server
    where = f"{server.host}:{server.port}" if server.port else f"a port of {server.host}"
    try:
        listen(server.host, server.port).close()
    except OSError as error:
        if _is_daemon(server.host, server.port):
            return DoctorResult("page", Verdict.GOOD, f"a daemon answers at http://{where}")
        text = f"cannot listen on {where}: {error.strerror}"
        return DoctorResult("page", Verdict.BAD, text, f"set another {to_change(error)}")
    return DoctorResult("page", Verdict.GOOD, f"{where} is free")


def _is_daemon(host: str, port: int) -> bool:
    try:
        status, _ = ask_health(host, port)
    except OSError:
        return False
    return status in (HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE)
