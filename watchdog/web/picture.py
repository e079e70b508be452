"""The statuses of a day as a small picture: an SVG, coloured by the style sheet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from watchdog.domain.records import Attempt, Health, Policy, StatusChange, Target
from watchdog.domain.status import health_of
from watchdog.text.phrases import age
from watchdog.web.words import HEALTHS

BINS = 288
"""Bins of a day, five minutes each: finer than a screen shows, and an upper bound for a target that
changes often."""

HEIGHT = 16

_WORST_FIRST = (
    Health.FAILING,
    Health.BROKEN,
    Health.NOT_RETRYABLE,
    Health.IN_PROGRESS,
    Health.HEALTHY,
)
_HEIGHTS = {
    Health.FAILING: 16,
    Health.BROKEN: 13,
    Health.NOT_RETRYABLE: 10,
    Health.IN_PROGRESS: 8,
    Health.HEALTHY: 4,
}
"""A worse health is drawn higher, so that colour is not the only sign."""

_RANKS = {health: rank for rank, health in enumerate(_WORST_FIRST)}


@dataclass(frozen=True, slots=True)
class Span:
    """A time span with one status. `status` None: the target was not seen."""

    start: datetime
    end: datetime
    status: str | None


@dataclass(frozen=True, slots=True)
class Picture:
    """`paths` are what to draw, by class: a health, or `sent` where an attempt was. `text` says
    the same in words."""

    paths: dict[str, str]
    text: str


def spans(
    target: Target, changes: Iterable[StatusChange], start: datetime, end: datetime
) -> list[Span]:
    """The target's statuses from `start` to `end`. Entries written while a clock was ahead are left
    out. The last status comes from the target's own record, which is never pruned."""
    points = [(each.at, each.status) for each in changes if each.at <= end]
    own = (target.status_since, target.status)
    if own[0] is not None and target.status is not None and (not points or points[-1][1] != own[1]):
        points.append((own[0], own[1]))
    found: list[Span] = []
    for number, (at, status) in enumerate(points):
        until = points[number + 1][0] if number + 1 < len(points) else end
        if until > start and until > at:
            found.append(Span(max(at, start), until, status))
    return found


def draw(
    found: Sequence[Span],
    attempts: Iterable[Attempt],
    policy: Policy | None,
    start: datetime,
    end: datetime,
) -> Picture:
    """A bin shows the worst that was seen in it, so that no short failure is lost."""
    size = (end - start) / BINS
    ranks = [len(_WORST_FIRST)] * BINS
    spent: dict[Health | None, timedelta] = {}
    for span in found:
        health = _health(span.status, policy)
        spent[health] = spent.get(health, timedelta(0)) + (span.end - span.start)
        if health is not None:
            _fill(ranks, _RANKS[health], (span.start - start) / size, (span.end - start) / size)
    sent = [each.sent_at for each in attempts if each.sent_at and start <= each.sent_at <= end]
    marks = sorted({_bin((at - start) / size) for at in sent})
    return Picture(_paths(ranks, marks), _words(spent, len(sent)))


def _health(status: str | None, policy: Policy | None) -> Health | None:
    if status is None:
        return None
    return health_of(status, policy) if policy is not None else Health.NOT_RETRYABLE


def _fill(ranks: list[int], rank: int, start: float, end: float) -> None:
    first, last = _bin(start), _bin(end)
    if last > first and end == last:
        last -= 1  # The span ends exactly where this bin begins.
    for at in (first, last):
        ranks[at] = min(ranks[at], rank)
    if last > first + 1:  # No other span reaches into these.
        ranks[first + 1 : last] = [rank] * (last - first - 1)


def _bin(position: float) -> int:
    return min(max(int(position), 0), BINS - 1)


def _paths(ranks: Sequence[int], marks: Iterable[int]) -> dict[str, str]:
    paths: dict[str, str] = {}
    at = 0
    for rank, run in groupby(ranks):
        width = len(list(run))
        if rank < len(_WORST_FIRST):
            health = _WORST_FIRST[rank]
            box = _box(at, width, _HEIGHTS[health])
            paths[health.value] = paths.get(health.value, "") + box
        at += width
    sent = "".join(f"M{at} 0v{HEIGHT}" for at in marks)
    return paths | ({"sent": sent} if sent else {})


def _box(x: int, width: int, height: int) -> str:
    """A box that stands on the lower edge."""
    return f"M{x} {HEIGHT}v-{height}h{width}v{height}z"


def _words(spent: dict[Health | None, timedelta], attempts: int) -> str:
    parts = [
        f"{HEALTHS[health]} {age(spent[health])}"
        for health in (*_WORST_FIRST, None)
        if spent.get(health)
    ]
    if attempts:
        parts.append(f"{attempts} {'retry' if attempts == 1 else 'retries'}")
    return f"Last 24 hours: {', '.join(parts) or 'nothing seen'}"
