"""`status`: what the ledger knows of each target, beside a running daemon or without one."""

import asyncio
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watchdog.cli.actions import action_json, pause_line
from watchdog.cli.console import fail
from watchdog.cli.ledger import read
from watchdog.cli.options import ConfigOption, JsonOption, load
from watchdog.cli.output import print_json, print_table, table
from watchdog.domain.breaker import Opening
from watchdog.domain.records import Action, Health
from watchdog.domain.replica import Replica, ReplicaState
from watchdog.domain.status import state_of
from watchdog.engine.fleet import discovery, overview
from watchdog.engine.fleet.overview import Watched
from watchdog.text.phrases import age, ago, ahead, clock_time, signature
from watchdog.text.untrusted import clean

if TYPE_CHECKING:
    from watchdog.config import Config
    from watchdog.engine.ports import LedgerTransaction

_REFRESH_SECONDS = 1.0
_COLUMNS = ("model", "name", "state", "status", "since", "attempts", "next attempt", "why")


def status(
    config: ConfigOption = None,
    json: JsonOption = False,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Go on showing it, until Ctrl-C.")
    ] = False,
) -> None:
    """Show what the ledger knows of each target, and why it waits."""
    settings = load(config).config
    if watch and json:
        fail("--watch is for people: leave --json out")
    if watch:
        read(settings, lambda tx: tx.now())  # An unreadable ledger is an error here only.
        _watch(settings)
        return
    shown = read(settings, lambda tx: _shown(tx, settings))
    if json:
        print_json(
            {
                "targets": [_json(each, shown.now) for each in shown.watched],
                "pauses": [action_json(pause) for pause in shown.pauses],
                "breaker_open": shown.opening is not None,
                "replicas": [_replica_json(replica, shown.now) for replica in shown.replicas],
            }
        )
        return
    print_table(_COLUMNS, [_cells(each, shown.now) for each in shown.watched])
    for note in shown.notes():
        typer.echo(note)


@dataclass(frozen=True, slots=True)
class _Shown:
    watched: tuple[Watched, ...]
    pauses: tuple[Action, ...]
    opening: Opening | None
    replicas: tuple[Replica, ...]
    now: datetime

    @property
    def _failing(self) -> int:
        return sum(each.target.health is Health.FAILING for each in self.watched)

    def notes(self) -> list[str]:
        """What concerns more than one target, a line each."""
        notes = [_replica_line(replica, self.now) for replica in self.replicas]
        if all(each.state(self.now) is ReplicaState.GONE for each in self.replicas):
            notes.append("no daemon is running: this is how the last one left it")
        notes += [pause_line(pause) for pause in self.pauses]
        if self.opening is not None:
            notes.append(
                f"breaker open since {clock_time(self.opening.opened_at)}: "
                f"{self.opening.failures} models had begun to fail at once then, "
                f"{self._failing} fail now; see `history --fleet`"
            )
        return notes


def _cells(watched: Watched, now: datetime) -> tuple[str, ...]:
    target, policy, decision = watched.target, watched.policy, watched.target.decision
    return (
        target.model_id,
        target.name or "-",
        state_of(target).value,
        target.status or "-",
        ago(target.status_since, now),
        f"{watched.used} of {policy.max_attempts}" if policy else str(watched.used),
        ahead(decision.until, now),
        _why(watched),
    )


def _why(watched: Watched) -> str:
    reason, place = watched.target.decision.reason, watched.place
    if reason is None:
        return "-"
    return f"{reason} (number {place} in the queue)" if place is not None else reason.value


def _json(watched: Watched, now: datetime) -> dict[str, Any]:
    target, policy = watched.target, watched.policy
    return {
        "model_id": target.model_id,
        "model_name": target.name,
        "watched": target.watched,
        "state": state_of(target),
        "status": target.status,
        "since": target.status_since,
        "deployment_id": target.deployment.id if target.deployment else None,
        "failing_since": target.failing_from,
        "episode_id": target.episode.id if target.episode else None,
        "attempts_used": watched.used,
        "attempts_allowed": policy.max_attempts if policy else None,
        "window_remaining": watched.window_left(now),
        "paused_until": target.paused_until,
        "next_attempt_at": target.decision.until,
        "queue_place": watched.place,
        "decision": target.decision.kind,
        "decision_reason": target.decision.reason,
    }


def _shown(tx: "LedgerTransaction", settings: "Config") -> _Shown:
    policies = {**settings.policies()}
    if settings.discovery is not None:
        policies = dict.fromkeys(discovery.load(tx), settings.discovered_policy()) | policies
    watched = tuple(overview.targets(tx, policies))
    return _Shown(
        watched,
        tuple(tx.actions.pauses()),
        tx.breaker.opening(),
        tuple(tx.replicas.all()),
        tx.now(),
    )


def _replica_line(replica: Replica, now: datetime) -> str:
    """A daemon, in one line."""
    state, name = replica.state(now), clean(signature(replica.id))
    gone = state is ReplicaState.GONE
    lived = "" if gone else f"up {age(now - replica.started_at)}, "
    seen = ago(replica.seen_at, now)
    return f"replica {name} {state}: {lived}version {clean(replica.version)}, seen {seen}"


def _replica_json(replica: Replica, now: datetime) -> dict[str, Any]:
    return {
        "replica": replica.id,
        "state": replica.state(now),
        "version": replica.version,
        "started_at": replica.started_at,
        "configured_at": replica.configured_at,
        "seen_at": replica.seen_at,
    }


def _watch(settings: "Config") -> None:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    from watchdog.app.commands import read_ledger
    from watchdog.app.parts import SetupError

    console = Console(highlight=False)
    if not sys.stdout.isatty():
        fail("--watch needs a terminal: leave it out, or repeat `status --json`")

    def picture() -> Group:
        try:
            shown = asyncio.run(read_ledger(settings, lambda tx: _shown(tx, settings)))
        except SetupError as error:
            return Group(Text(str(error), style="red"))
        notes = shown.notes()
        room = max(1, console.height - len(notes) - 2)
        hidden = len(shown.watched) - room
        if hidden > 0:
            notes.append(f"{hidden} more: make the terminal taller, or see `status`")
        cells = [_cells(each, shown.now) for each in shown.watched[:room]]
        return Group(*map(Text, notes), table(_COLUMNS, cells))

    with Live(picture(), console=console, auto_refresh=False, screen=True) as live:
        try:
            while True:
                time.sleep(_REFRESH_SECONDS)
                live.update(picture(), refresh=True)
        except KeyboardInterrupt:
            return
