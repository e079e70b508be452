"""The table of `status`: its columns, its rows and their order."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from watchdog.cli.layout import Column, shorten_end, shorten_middle
from watchdog.cli.sort import Sort
from watchdog.domain.causes import Cause
from watchdog.domain.limits import of_episode
from watchdog.domain.records import Outcome
from watchdog.domain.status import broken_reason, needs_operator, state_of, urgency
from watchdog.engine.fleet.overview import Watched
from watchdog.text.phrases import ago, ahead

_NEVER = datetime.max.replace(tzinfo=UTC)

COLUMNS = (
    Column("model", 5),
    Column("name", 0, shorten_middle),
    Column("team", 6, shorten_middle),
    Column("state"),
    Column("status", 3),
    Column("since", 2),
    Column("attempts", 4),
    Column("next", 1),
    Column("why", 0, shorten_end),
)


def ordered(watched: Iterable[Watched], sort: Sort, now: datetime) -> list[Watched]:
    keys: dict[Sort, Callable[[Watched], Any]] = {
        Sort.URGENCY: _urgency,
        Sort.NAME: lambda each: name_of(each).casefold(),
        Sort.STATUS: lambda each: each.target.status or "",
        Sort.SINCE: lambda each: now - (each.target.status_since or now),
        Sort.ATTEMPTS: lambda each: -each.used,
        Sort.NEXT: lambda each: each.target.decision.until or _NEVER,
        Sort.WHY: lambda each: each.target.decision.reason or "",
    }
    return sorted(sorted(watched, key=_urgency), key=keys[sort])


def _urgency(each: Watched) -> tuple[bool, int, str, str]:
    target = each.target
    state = urgency(state_of(target))
    return not needs_operator(target), state, name_of(each).casefold(), target.model_id


def name_of(watched: Watched) -> str:
    return watched.target.name or watched.target.model_id


def cells(watched: Watched, now: datetime) -> tuple[str, ...]:
    target, policy, decision = watched.target, watched.policy, watched.target.decision
    return (
        target.model_id,
        name_of(watched),
        watched.team or "-",
        state_of(target).value,
        target.status or "-",
        ago(target.status_since, now),
        f"{watched.used} of {policy.max_attempts}" if policy else str(watched.used),
        "-" if watched.is_gone else ahead(decision.until, now),
        why(watched),
    )


def why(watched: Watched) -> str:
    """The reason in its one word, with what is known beside it: the place in the queue, and for a
    failing model that was given up what the API said when it refused, or the cause in the logs."""
    reason, place, episode = watched.target.decision.reason, watched.place, watched.target.episode
    if watched.is_gone:
        return "not watched any more"
    if reason is None:
        return "-"
    if place is not None:
        return f"{reason} (number {place} in the queue)"
    if (lacking := broken_reason(watched.target)) not in (None, reason):
        return f"{lacking}, {reason}"
    if episode is None or not episode.open or not needs_operator(watched.target):
        return reason.value
    own = of_episode(watched.target, watched.attempts)
    if own and own[-1].outcome is Outcome.REFUSED and own[-1].reason:
        return f"{reason}: {own[-1].reason}"
    known = episode.cause is not Cause.UNKNOWN
    return f"{reason}: cause {episode.cause}" if known else reason.value
