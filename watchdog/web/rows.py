"""The targets as the page's table shows them: filtered and sorted."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from watchdog.domain.limits import window_times
from watchdog.domain.records import Attempt, DecisionKind, Target, TargetState
from watchdog.domain.status import state_of
from watchdog.engine.fleet.overview import TIMELINE, Overview, Watched
from watchdog.text.phrases import ago, ahead
from watchdog.web.picture import Picture, draw, spans
from watchdog.web.words import RETRY_NOW, STATES, State

_URGENCY = {state: rank for rank, state in enumerate(STATES)}


@dataclass(frozen=True, slots=True)
class Row:
    """A target, in words."""

    watched: Watched
    now: datetime
    history: tuple[Attempt, ...] = ()
    """Attempts that are drawn and do not count: after a reset some no longer count."""

    @property
    def target(self) -> Target:
        return self.watched.target

    @property
    def url(self) -> str:
        """Below the page's root."""
        return f"targets/{quote(self.target.model_id, safe='')}"

    @property
    def state(self) -> TargetState:
        return state_of(self.target)

    @property
    def label(self) -> State:
        return STATES[self.state]

    @property
    def since(self) -> str:
        return ago(self.target.status_since, self.now)

    @property
    def next_attempt(self) -> str:
        return ahead(self.next_at, self.now)

    @property
    def next_at(self) -> datetime | None:
        """When a retry may be sent, if one may. A target that was given up has no such time."""
        decision = self.target.decision
        return decision.until if decision.kind is DecisionKind.WAIT else None

    @property
    def why(self) -> str:
        reason, place = self.target.decision.reason, self.watched.place
        if reason is None:
            return RETRY_NOW
        queue = f" It is number {place} in the queue." if place is not None else ""
        return reason.sentence + queue

    @property
    def used(self) -> str:
        """Attempts of the episode."""
        policy = self.watched.policy
        return f"{self.watched.used} of {policy.max_attempts}" if policy else f"{self.watched.used}"

    @property
    def window_used(self) -> str:
        """Attempts of the window; empty without a policy."""
        policy, left = self.watched.policy, self.watched.window_left(self.now)
        if policy is None or left is None:
            return ""
        return f"{policy.max_attempts_per_window - left} of {policy.max_attempts_per_window}"

    @property
    def picture(self) -> Picture:
        start, end = self.now - TIMELINE, self.now
        found = spans(self.target, self.watched.changes, start, end)
        attempts = {each.id: each for each in (*self.watched.attempts, *self.history)}
        return draw(found, attempts.values(), self.watched.policy, start, end)


_SORTS: dict[str, Callable[[Row], Any]] = {
    "state": lambda row: _URGENCY[row.state],
    "model": lambda row: (row.target.name or row.target.model_id).casefold(),
    "status": lambda row: row.target.status or "",
    "since": lambda row: _newest_first(row.target.status_since),
    "attempts": lambda row: -row.watched.used,
    "day": lambda row: -len(window_times(row.watched.attempts, row.now, row.watched.date)),
    "next": lambda row: (row.next_at is None, row.next_at and row.next_at.timestamp()),
    "why": lambda row: row.target.decision.reason or "",
}

SORTS = tuple(_SORTS)

_STATES = {state.value: state for state in TargetState}


def _newest_first(moment: datetime | None) -> float:
    return -moment.timestamp() if moment is not None else 0.0


@dataclass(frozen=True, slots=True)
class Asked:
    """The view that the URL selects. A value that is not understood counts as the default."""

    text: str = ""
    state: TargetState | None = None
    sort: str = "state"
    descending: bool = False

    @classmethod
    def of(cls, query: Callable[[str], str]) -> "Asked":
        """Made of a query's parameters; one that is not given is empty."""
        sort = query("sort")
        return cls(
            query("q").strip()[:100],
            _STATES.get(query("state")),
            sort if sort in SORTS else "state",
            query("order") == "desc",
        )

    def link(self, **changes: str) -> str:
        """The query of the same view with changes."""
        values = {
            "q": self.text,
            "state": self.state.value if self.state else "",
            "sort": self.sort if self.sort != "state" else "",
            "order": "desc" if self.descending else "",
        } | changes
        return "?" + urlencode({name: value for name, value in values.items() if value})

    def sorted_by(self, name: str) -> str:
        """The query of a column's heading: that column, the other way round if it is so now."""
        turned = name == self.sort and not self.descending
        return self.link(sort=name, order="desc" if turned else "")

    @property
    def narrows(self) -> bool:
        return bool(self.text or self.state)

    def matches(self, row: Row) -> bool:
        if self.state is not None and row.state is not self.state:
            return False
        wanted = self.text.casefold()
        return any(
            wanted in text.casefold() for text in (row.target.model_id, row.target.name or "")
        )

    def arranged(self, rows: Iterable[Row]) -> list[Row]:
        """The rows that match, sorted; equal ones by name."""
        found = sorted((row for row in rows if self.matches(row)), key=_SORTS["model"])
        return sorted(found, key=_SORTS[self.sort], reverse=self.descending)


def rows(overview: Overview) -> list[Row]:
    return [Row(each, overview.now) for each in overview.targets]


def counted(found: Sequence[Row]) -> list[tuple[TargetState, State, int]]:
    """How many there are of each state, the most urgent first."""
    counts = Counter(row.state for row in found)
    return [(state, label, counts[state]) for state, label in STATES.items() if counts[state]]
