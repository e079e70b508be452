"""The targets as the page's table shows them: filtered and sorted."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from watchdog.domain.causes import Cause
from watchdog.domain.limits import window_times
from watchdog.domain.records import Attempt, DecisionKind, Target, TargetState
from watchdog.domain.status import broken_reason, state_of, urgency
from watchdog.engine.fleet.overview import TIMELINE, Overview, Watched
from watchdog.text.phrases import ago, ahead
from watchdog.web.picture import Picture, draw, spans
from watchdog.web.words import NOT_WATCHED, RETRY_NOW, STATES, State


@dataclass(frozen=True, slots=True)
class Row:
    """A target, in words."""

    watched: Watched
    now: datetime
    history: tuple[Attempt, ...] = ()
    """More attempts to draw. Some of them may no longer count, for example after a reset."""

    @property
    def target(self) -> Target:
        return self.watched.target

    @property
    def state(self) -> TargetState:
        return state_of(self.target)

    @property
    def label(self) -> State:
        return NOT_WATCHED if self.watched.is_gone else STATES[self.state]

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
        waits = decision.kind is DecisionKind.WAIT and not self.watched.is_gone
        return decision.until if waits else None

    @property
    def why(self) -> str:
        reason, place = self.target.decision.reason, self.watched.place
        if self.watched.is_gone:
            return "This is what was recorded last."
        if reason is None:
            return RETRY_NOW
        lacking = broken_reason(self.target)
        if lacking is not None and lacking is not reason:
            return f"{lacking.sentence} {reason.sentence}"
        queue = f" It is number {place} in the queue." if place is not None else ""
        return reason.sentence + queue

    @property
    def reason(self) -> str:
        """The word of the decision's reason; empty where the state is the same word."""
        reason = self.target.decision.reason
        said = self.watched.is_gone or reason is None or reason.value == self.state.value
        return "" if reason is None or said else reason.value

    @property
    def cause(self) -> Cause | None:
        """Why it fails; None if it does not fail, or if the cause was not looked for."""
        episode = self.target.episode
        found = episode is not None and episode.open and episode.explanation is not None
        return episode.cause if episode is not None and found else None

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


def target_path(model_id: str) -> str:
    """The path of the target's page, below the root."""
    return f"targets/{quote(model_id, safe='')}"


_SORTS: dict[str, Callable[[Row], Any]] = {
    "state": lambda row: urgency(row.state),
    "model": lambda row: (row.target.name or row.target.model_id).casefold(),
    "status": lambda row: row.target.status or "",
    "since": lambda row: _newest_first(row.target.status_since),
    "attempts": lambda row: -row.watched.used,
    "day": lambda row: -len(window_times(row.watched.attempts, row.now, row.watched.date)),
    "next": lambda row: (row.next_at is None, row.next_at and row.next_at.timestamp()),
    "why": lambda row: row.target.decision.reason or "",
}

SORTS = tuple(_SORTS)

PAGE_SIZE = 100
"""Rows that are shown at once: a screen shows some 30, and each costs a tenth of a millisecond."""

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
    page: int = 1

    @classmethod
    def of(cls, query: Callable[[str], str]) -> "Asked":
        """The view for these parameters of a query. A parameter that is not given is empty."""
        sort = query("sort")
        return cls(
            query("q").strip()[:100],
            _STATES.get(query("state")),
            sort if sort in SORTS else "state",
            query("order") == "desc",
            _page(query("page")),
        )

    def link(self, **changes: str | int) -> str:
        """The query of the same view with changes. It leads to the first page unless `changes`
        names another, because after a change other rows are on each page."""
        values = {
            "q": self.text,
            "state": self.state.value if self.state else "",
            "sort": self.sort if self.sort != "state" else "",
            "order": "desc" if self.descending else "",
        } | changes
        return "?" + urlencode({name: value for name, value in values.items() if value})

    def sorted_by(self, name: str) -> str:
        """The query behind a column's heading: sort by this column, or, if that is so already, in
        the other direction."""
        turned = name == self.sort and not self.descending
        return self.link(sort=name, order="desc" if turned else "")

    @property
    def narrows(self) -> bool:
        return bool(self.text or self.state)

    def matches(self, row: Row) -> bool:
        if self.state is not None and row.state is not self.state:
            return False
        wanted = self.text.casefold()
        texts = (row.target.model_id, row.target.name or "", row.watched.team or "")
        return any(wanted in text.casefold() for text in texts)

    def arranged(self, rows: Iterable[Row]) -> list[Row]:
        """The rows that match, sorted; equal ones by name."""
        found = sorted((row for row in rows if self.matches(row)), key=_SORTS["model"])
        return sorted(found, key=_SORTS[self.sort], reverse=self.descending)


def _page(text: str) -> int:
    return max(1, int(text)) if text.isdecimal() and len(text) < 10 else 1


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of page number `page` of `pages`. `of` is how many rows match in all. Pages and rows
    are counted from 1."""

    rows: Sequence[Row]
    page: int
    pages: int
    of: int

    @property
    def first(self) -> int:
        return (self.page - 1) * PAGE_SIZE + 1

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1


def part(found: Sequence[Row], page: int) -> Part:
    """A page that does not exist counts as the last one."""
    pages = max(1, -(-len(found) // PAGE_SIZE))
    page = min(page, pages)
    return Part(found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE], page, pages, len(found))


def rows(overview: Overview) -> list[Row]:
    return [Row(each, overview.now) for each in overview.targets]


def counted(found: Sequence[Row]) -> list[tuple[TargetState, State, int]]:
    """How many there are of each state, the most urgent first."""
    counts = Counter(row.state for row in found)
    return [(state, STATES[state], counts[state]) for state in TargetState if counts[state]]
