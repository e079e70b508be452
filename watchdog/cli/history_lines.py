"""The past as one list: a line for each thing that happened, at the time when it did."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchdog.cli import fleet_history
from watchdog.cli.fleet_history import Line
from watchdog.domain.breaker import Canary, Opening
from watchdog.domain.episode_notes import EpisodeNotes
from watchdog.domain.records import (
    Action,
    ActionKind,
    Attempt,
    Breakage,
    Episode,
    Resolution,
)
from watchdog.text.phrases import age, signature

_ORDER_WAIT = timedelta(minutes=1)
"""A command that retries makes its attempt within this time, or makes none."""


@dataclass(frozen=True, slots=True)
class Past:
    """`findings` are by episode. They are given for one model only, because lines of logs may
    contain secrets. `start` is where `--since` begins, `cut` whether older entries were left out by
    `--limit`."""

    episodes: Sequence[Episode]
    attempts: Sequence[Attempt]
    actions: Sequence[Action]
    breakages: Sequence[Breakage]
    openings: Sequence[Opening]
    canaries: Sequence[Canary]
    findings: Mapping[str, EpisodeNotes]
    names: Mapping[str, str | None]
    start: datetime | None
    cut: bool
    one: bool
    """Whether it is of one model."""

    def lines(self) -> list[Line]:
        """What happened, newest first."""
        found = [each for e in self.episodes for each in episode_lines(e, self.findings.get(e.id))]
        found += map(attempt_line, self.attempts)
        results = retry_results(self.actions, self.attempts)
        found += [action_line(each, results) for each in self.actions]
        found += [line for each in self.breakages for line in breakage_lines(each)]
        found += fleet_history.lines(self.openings, self.canaries)
        start = self.start
        recent = [line for line in found if start is None or line[0] >= start]
        return sorted(recent, key=lambda line: line[0], reverse=True)


def episode_lines(episode: Episode, finding: EpisodeNotes | None) -> Iterator[Line]:
    result = "" if episode.ended_at is not None else "open"
    what = f"failing: {episode.status}"
    cause = "" if episode.explanation is None else f"cause: {episode.cause}"
    yield episode.opened_at, (episode.model_id, what, result, "", cause)
    if episode.ended_at is not None and episode.result is not None:
        actor = (finding.actor if finding is not None else None) or ""
        after = f"failed for {age(episode.ended_at - episode.failing_from)}"
        cells = (episode.model_id, "failing ended", episode.result.value, actor, after)
        yield episode.ended_at, cells


def breakage_lines(breakage: Breakage) -> Iterator[Line]:
    what, ended = f"broken: {breakage.status or 'missing'}", breakage.ended_at
    yield breakage.began_at, (breakage.model_id, what, "lasts" if ended is None else "", "", "")
    if ended is not None:
        after = f"broken for {age(ended - breakage.began_at)}"
        yield ended, (breakage.model_id, "broken ended", "", "", after)


def attempt_line(attempt: Attempt) -> Line:
    parts = [attempt.reason] if attempt.reason else []
    if attempt.resolution is not Resolution.ANSWERED and attempt.resolved_at is not None:
        parts.insert(
            0, f"{attempt.resolution} after {age(attempt.resolved_at - attempt.reserved_at)}"
        )
    what = f"attempt {attempt.number}"
    cells = (attempt.model_id, what, attempt.outcome.value, signature(attempt.owner))
    return attempt.reserved_at, (*cells, "; ".join(parts))


def action_line(action: Action, retried: Mapping[int, str]) -> Line:
    parts = [action.note] if action.note else []
    if action.ended_at is not None:
        parts.insert(0, f"ended after {age(action.ended_at - action.at)}")
    elif action.until is not None:
        parts.insert(0, f"for {age(action.until - action.at)}")
    result = retried.get(action.id or 0, "")
    whom = action.model_id or "all"
    return action.at, (whom, action.kind.value, result, action.who, "; ".join(parts))


def retry_results(actions: Iterable[Action], attempts: Sequence[Attempt]) -> Mapping[int, str]:
    """What came of each retry that an operator ordered, by the action's id: the outcome of the
    attempt that the command made, once it ended how it ended, or `not sent`."""
    ordered = [each for each in actions if each.kind is ActionKind.RETRY]
    own = [each for each in attempts if each.owner.startswith("command:")]
    return {order.id or 0: _result(order, own, ordered) for order in ordered}


def _result(order: Action, attempts: Sequence[Attempt], orders: Sequence[Action]) -> str:
    later = [each.at for each in orders if each.model_id == order.model_id and each.at > order.at]
    until = min([order.at + _ORDER_WAIT, *later])
    made = [
        each
        for each in attempts
        if each.model_id == order.model_id and order.at <= each.reserved_at < until
    ]
    if not made:
        return "not sent"
    attempt = min(made, key=lambda each: each.reserved_at)
    if attempt.resolution is None or attempt.resolution is Resolution.ANSWERED:
        return attempt.outcome.value
    return attempt.resolution.value
