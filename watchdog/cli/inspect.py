"""`status` and `history`: what the ledger knows, beside a running daemon or without one."""

import asyncio
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watchdog.cli import fleet_history
from watchdog.cli.console import fail
from watchdog.cli.options import ConfigOption, JsonOption, load
from watchdog.cli.output import age, ago, ahead, clock_time, print_json, print_table
from watchdog.domain.limits import episode_used, window_remaining
from watchdog.domain.records import Attempt, Episode, Policy, Resolution, Target
from watchdog.domain.status import state_of

if TYPE_CHECKING:
    from watchdog.config import Config
    from watchdog.engine.ports import LedgerTransaction


def status(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show what the ledger knows of each target, and why it waits."""
    settings = load(config).config
    now = datetime.now(UTC)
    rows = _read(settings, lambda tx: _standings(tx, settings, now))
    if json:
        print_json({"targets": [row.as_json() for row in rows]})
        return
    print_table(
        ("model", "name", "state", "status", "since", "attempts", "next attempt", "why"),
        [row.cells(now) for row in rows],
    )


def history(
    model: Annotated[str | None, typer.Argument(help="A model's id or configured name.")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
    limit: Annotated[int, typer.Option(min=1, help="How many of each to show.")] = 50,
    fleet: Annotated[
        bool, typer.Option("--fleet", help="Show the breaker's openings, canaries and closings.")
    ] = False,
) -> None:
    """Show attempts and episodes, newest first."""
    settings = load(config).config
    if fleet and model is not None:
        fail("--fleet is about all models: leave MODEL out")
    if fleet:
        openings, canaries = _read(settings, lambda tx: fleet_history.read(tx, limit))
        if json:
            print_json(fleet_history.as_json(openings, canaries))
        else:
            print_table(fleet_history.COLUMNS, fleet_history.lines(openings, canaries))
        return
    episodes, attempts = _read(settings, lambda tx: _past(tx, model, limit))
    if json:
        print_json(
            {
                "episodes": [_episode_json(episode) for episode in episodes],
                "attempts": [_attempt_json(attempt) for attempt in attempts],
            }
        )
        return
    lines = [(e.opened_at, _episode_cells(e)) for e in episodes]
    lines += [(a.reserved_at, _attempt_cells(a)) for a in attempts]
    lines.sort(key=lambda line: line[0], reverse=True)
    print_table(("time", "model", "what", "result", "detail"), [cells for _, cells in lines])


@dataclass(frozen=True, slots=True)
class _Standing:
    target: Target
    attempts: tuple[Attempt, ...]
    policy: Policy | None
    now: datetime

    def cells(self, now: datetime) -> tuple[str, ...]:
        target, decision = self.target, self.target.decision
        used = episode_used(target, self.attempts)
        return (
            target.model_id,
            target.name or "-",
            state_of(target).value,
            target.status or "-",
            ago(target.status_since, now),
            f"{used} of {self.policy.max_attempts}" if self.policy else str(used),
            ahead(decision.until, now),
            decision.reason.value if decision.reason else "-",
        )

    def as_json(self) -> dict[str, Any]:
        target, policy = self.target, self.policy
        return {
            "model_id": target.model_id,
            "model_name": target.name,
            "watched": target.watched,
            "state": state_of(target),
            "status": target.status,
            "since": target.status_since,
            "deployment_id": target.deployment.id if target.deployment else None,
            "failing_since": target.failing_since,
            "episode_id": target.episode.id if target.episode else None,
            "attempts_used": episode_used(target, self.attempts),
            "attempts_allowed": policy.max_attempts if policy else None,
            "window_remaining": (
                window_remaining(self.attempts, policy, self.now) if policy else None
            ),
            "next_attempt_at": target.decision.until,
            "decision": target.decision.kind,
            "decision_reason": target.decision.reason,
        }


def _standings(tx: "LedgerTransaction", settings: "Config", now: datetime) -> list[_Standing]:
    policies = settings.policies()
    rows = []
    for target in tx.targets():
        policy = policies.get(target.model_id)
        if not target.watched and policy is None:
            continue
        since = now - policy.window if policy else now
        rows.append(_Standing(target, tx.attempts(target, since=since), policy, now))
    return rows


def _past(
    tx: "LedgerTransaction", model: str | None, limit: int
) -> tuple[Sequence[Episode], Sequence[Attempt]]:
    model_id = _resolve(tx.targets(), model) if model is not None else None
    return tx.episodes(model_id, limit=limit), tx.attempt_history(model_id, limit=limit)


def _resolve(targets: Sequence[Target], model: str) -> str:
    """The id of the model with that id or name."""
    ids = [t.model_id for t in targets if model in (t.model_id, t.name)]
    if model in ids:
        return model
    if len(ids) == 1:
        return ids[0]
    if ids:
        fail(f"{model!r} is the name of {len(ids)} models: use an id: {', '.join(ids)}")
    known = [text for t in targets for text in (t.model_id, t.name) if text]
    near = difflib.get_close_matches(model, known, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "`status` lists those it knows"
    return fail(f"the ledger knows no model {model!r}: {hint}")


def _read(settings: "Config", work: Any) -> Any:
    from watchdog.app.commands import read_ledger
    from watchdog.app.parts import SetupError

    try:
        return asyncio.run(read_ledger(settings, work))
    except SetupError as error:
        fail(str(error))


def _episode_cells(episode: Episode) -> tuple[str, ...]:
    ended = ""
    if episode.ended_at is not None:
        ended = f"after {age(episode.ended_at - episode.failing_from)}"
    return (
        clock_time(episode.opened_at),
        episode.model_id,
        f"failing: {episode.status}",
        episode.result.value if episode.result else "open",
        ended,
    )


def _attempt_cells(attempt: Attempt) -> tuple[str, ...]:
    parts = [attempt.reason] if attempt.reason else []
    if attempt.resolution not in (None, Resolution.ANSWERED):
        parts.insert(0, f"{attempt.resolution} {clock_time(attempt.resolved_at)}")
    return (
        clock_time(attempt.reserved_at),
        attempt.model_id,
        f"attempt {attempt.number}",
        attempt.outcome.value,
        "; ".join(parts),
    )


def _episode_json(episode: Episode) -> dict[str, Any]:
    return {
        "episode_id": episode.id,
        "model_id": episode.model_id,
        "deployment_id": episode.deployment.id,
        "status": episode.status,
        "standing": episode.standing,
        "opened_at": episode.opened_at,
        "ended_at": episode.ended_at,
        "result": episode.result,
    }


def _attempt_json(attempt: Attempt) -> dict[str, Any]:
    return {
        "attempt_id": attempt.id,
        "episode_id": attempt.episode_id,
        "model_id": attempt.model_id,
        "attempt": attempt.number,
        "outcome": attempt.outcome,
        "reason": attempt.reason,
        "reserved_at": attempt.reserved_at,
        "sent_at": attempt.sent_at,
        "answered_at": attempt.answered_at,
        "resolution": attempt.resolution,
        "resolved_at": attempt.resolved_at,
        "owner": attempt.owner,
    }
