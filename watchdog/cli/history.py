"""`history`: what the ledger knows of the past, beside a running daemon or without one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watchdog.cli import fleet_history
from watchdog.cli.actions import action_cells, action_json
from watchdog.cli.console import fail
from watchdog.cli.cut import cut_together
from watchdog.cli.ledger import read
from watchdog.cli.model_argument import configured, resolve
from watchdog.cli.options import ConfigOption, JsonOption, load
from watchdog.cli.output import print_json, print_table
from watchdog.domain.finding import Finding
from watchdog.domain.records import Action, Attempt, Breakage, Episode, Resolution
from watchdog.text.phrases import age, clock_time, signature
from watchdog.text.untrusted import clean

if TYPE_CHECKING:
    from watchdog.config import Config
    from watchdog.engine.ports import LedgerTransaction


def history(
    model: Annotated[str | None, typer.Argument(help="A model's id or configured name.")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
    limit: Annotated[
        int, typer.Option(min=1, help="At most so many of each kind, all of them since one time.")
    ] = 50,
    fleet: Annotated[
        bool, typer.Option("--fleet", help="Show the breaker's openings, canaries and closings.")
    ] = False,
) -> None:
    """Show attempts, episodes, what was broken and what operators did, newest first."""
    settings = load(config).config
    if fleet and model is not None:
        fail("--fleet is about all models: leave MODEL out")
    if fleet:
        openings, canaries = read(settings, lambda tx: fleet_history.read(tx, limit))
        if json:
            print_json(fleet_history.as_json(openings, canaries))
        else:
            print_table(fleet_history.COLUMNS, fleet_history.lines(openings, canaries))
        return
    past = read(settings, lambda tx: _past(tx, settings, model, limit))
    episodes, attempts, actions = past.episodes, past.attempts, past.actions
    if json:
        print_json(
            {
                "episodes": [_episode_json(episode, past.findings) for episode in episodes],
                "attempts": [_attempt_json(attempt) for attempt in attempts],
                "actions": [action_json(action) for action in actions],
                "broken": [_breakage_json(breakage) for breakage in past.breakages],
            }
        )
        return
    lines = [(e.opened_at, _episode_cells(e, past.findings.get(e.id))) for e in episodes]
    lines += [(a.reserved_at, _attempt_cells(a)) for a in attempts]
    lines += [(a.at, action_cells(a)) for a in actions]
    lines += [(b.began_at, _breakage_cells(b)) for b in past.breakages]
    lines.sort(key=lambda line: line[0], reverse=True)
    print_table(("time", "model", "what", "result", "by", "detail"), [cells for _, cells in lines])
    for episode in episodes:
        _print_why(episode, past.findings.get(episode.id))


@dataclass(frozen=True, slots=True)
class _Past:
    """`findings` are by episode. They are given for one model only, because lines of logs may
    contain secrets."""

    episodes: Sequence[Episode]
    attempts: Sequence[Attempt]
    actions: Sequence[Action]
    breakages: Sequence[Breakage]
    findings: Mapping[str, Finding]


def _print_why(episode: Episode, finding: Finding | None) -> None:
    if finding is not None and finding.error_lines:
        typer.echo(f"\nthe last lines of the logs, failing since {clock_time(episode.opened_at)}:")
        for line in finding.error_lines:
            typer.echo(f"  {clean(line)}")


def _past(tx: "LedgerTransaction", settings: "Config", model: str | None, limit: int) -> _Past:
    model_id = None
    if model is not None:
        model_id = resolve(model, configured(settings), tx.targets.all())
    episodes, attempts, actions, breakages = cut_together(
        (tx.episodes.newest(model_id, limit=limit + 1), lambda each: each.opened_at),
        (tx.attempts.newest(model_id, limit=limit + 1), lambda each: each.reserved_at),
        (tx.actions.newest(model_id, limit=limit + 1), lambda each: each.at),
        (tx.breakages.newest(model_id, limit=limit + 1), lambda each: each.began_at),
        limit=limit,
    )
    return _Past(
        episodes,
        attempts,
        actions,
        breakages,
        tx.findings.of(model_id) if model_id is not None else {},
    )


def _episode_cells(episode: Episode, finding: Finding | None) -> tuple[str, ...]:
    ended = ""
    if episode.ended_at is not None:
        ended = f"after {age(episode.ended_at - episode.failing_from)}"
    return (
        clock_time(episode.opened_at),
        episode.model_id,
        f"failing: {episode.status}",
        episode.result.value if episode.result else "open",
        (finding.actor if finding is not None else None) or "",
        ended,
    )


def _breakage_cells(breakage: Breakage) -> tuple[str, ...]:
    ended = breakage.ended_at
    return (
        clock_time(breakage.began_at),
        breakage.model_id,
        f"broken: {breakage.status or 'missing'}",
        "over" if ended is not None else "lasts",
        "",
        f"after {age(ended - breakage.began_at)}" if ended is not None else "",
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
        signature(attempt.owner),
        "; ".join(parts),
    )


def _episode_json(episode: Episode, findings: Mapping[str, Finding]) -> dict[str, Any]:
    finding = findings.get(episode.id, Finding())
    return {
        "episode_id": episode.id,
        "model_id": episode.model_id,
        "deployment_id": episode.deployment.id,
        "status": episode.status,
        "standing": episode.standing,
        "opened_at": episode.opened_at,
        "ended_at": episode.ended_at,
        "result": episode.result,
        "ended_by": finding.actor,
        "error_lines": finding.error_lines,
    }


def _breakage_json(breakage: Breakage) -> dict[str, Any]:
    return {
        "model_id": breakage.model_id,
        "began_at": breakage.began_at,
        "status": breakage.status,
        "ended_at": breakage.ended_at,
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
