"""The transactions of a ledger in memory, by noun as in `engine.ports`."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from tests.fakes.usage import usage_of
from watchdog.domain.breaker import Canary, Opening
from watchdog.domain.episode_notes import EpisodeNotes
from watchdog.domain.limits import sent_or_reserved_at
from watchdog.domain.outbox import Said, Waiting
from watchdog.domain.plan import Claim, share
from watchdog.domain.queue import is_queued
from watchdog.domain.records import (
    Action,
    ActionKind,
    Attempt,
    Breakage,
    DecisionKind,
    DecisionReason,
    Episode,
    Health,
    Outcome,
    StatusChange,
    Target,
)
from watchdog.domain.replica import Replica
from watchdog.engine.ports import (
    Due,
    FleetUsage,
    Generation,
    VersionConflict,
    farthest_plan,
)

T = TypeVar("T")


@dataclass
class Rows:
    targets: dict[str, Target] = field(default_factory=dict)
    episodes: dict[str, Episode] = field(default_factory=dict)
    attempts: dict[str, Attempt] = field(default_factory=dict)
    meta: dict[str, str] = field(default_factory=dict)
    openings: dict[str, Opening] = field(default_factory=dict)
    observing: dict[str, bool] = field(default_factory=dict)
    canaries: dict[str, Canary] = field(default_factory=dict)
    actions: dict[int, Action] = field(default_factory=dict)
    replicas: dict[str, Replica] = field(default_factory=dict)
    configured: dict[str, frozenset[str]] = field(default_factory=dict)
    statuses: dict[tuple[str, datetime], StatusChange] = field(default_factory=dict)
    findings: dict[str, EpisodeNotes] = field(default_factory=dict)
    breakages: dict[int, Breakage] = field(default_factory=dict)
    notices: dict[int, Waiting] = field(default_factory=dict)
    said: dict[tuple[str, str], Said] = field(default_factory=dict)


TARGET_TIMES = (
    "status_since",
    "observed_at",
    "failing_since",
    "in_progress_since",
    "missing_since",
    "broke_at",
    "window_since",
    "ready_at",
)


@dataclass(frozen=True)
class _Noun:
    """The part of a transaction that is about one noun."""

    _tx: "Transaction"
    _rows: Rows
    _now: datetime


class _Targets(_Noun):
    def due(
        self, until: datetime, *, limit: int, interval: timedelta, claims: Mapping[str, Claim]
    ) -> list[Due]:
        found = []
        for target in self._rows.targets.values():
            if not target.watched or target.next_check_at is None:
                continue
            own, at = claims.get(target.model_id), target.next_check_at
            if own is not None and own.counts_for(target.version, at):
                at = own.next_at
            if at > farthest_plan(self._now, interval):
                at = self._now
            if at <= until:
                found.append(Due(self._joined(target), at))
        return sorted(found, key=lambda due: (due.at, due.target.model_id))[:limit]

    def next_planned(self, after: datetime) -> datetime | None:
        plans = [each.next_check_at for each in self._rows.targets.values() if each.watched]
        return min((each for each in plans if each is not None and each > after), default=None)

    def plan(self, claims: Mapping[str, Claim]) -> None:
        for model_id, claim in claims.items():
            target = self._rows.targets.get(model_id)
            at = target.next_check_at if target is not None else None
            if target is not None and at is not None and claim.counts_for(target.version, at):
                self._rows.targets[model_id] = replace(target, next_check_at=claim.next_at)

    def get(self, model_id: str) -> Target | None:
        target = self._rows.targets.get(model_id)
        return None if target is None else self._joined(target)

    def some(self, model_ids: Collection[str]) -> list[Target]:
        return [
            self._joined(self._rows.targets[each])
            for each in model_ids
            if each in self._rows.targets
        ]

    def all(self) -> list[Target]:
        return [self._joined(target) for _, target in sorted(self._rows.targets.items())]

    def add(self, target: Target) -> None:
        if target.model_id in self._rows.targets:
            raise ValueError(f"{target.model_id} is there already")
        self._put(target)

    def add_all(self, added: Sequence[Target]) -> None:
        for target in added:
            self.add(target)

    def save_all(self, changed: Sequence[Target]) -> list[Target]:
        return [self.save(target) for target in changed]

    def _put(self, target: Target) -> None:
        self._rows.targets[target.model_id] = target
        if target.episode is not None:
            self._rows.episodes[target.episode.id] = target.episode

    def save(self, target: Target) -> Target:
        stored = self._rows.targets.get(target.model_id)
        if stored is None or stored.version != target.version:
            raise VersionConflict(target.model_id)
        saved = replace(target, version=target.version + 1)
        self._put(saved)
        return saved

    def make_due(self, model_id: str, at: datetime) -> None:
        target = self._rows.targets.get(model_id)
        if target is None or target.next_check_at is None:
            return
        earlier = target.next_check_at - timedelta(microseconds=1)
        at = at if target.next_check_at > at else earlier
        self._rows.targets[model_id] = replace(target, next_check_at=at)

    def spread_checks(self, within: timedelta) -> None:
        for model_id, target in self._rows.targets.items():
            if target.watched:
                self.make_due(model_id, self._now + share(model_id, within))

    def watched(self) -> list[str]:
        return [target.model_id for target in self._rows.targets.values() if target.watched]

    def _joined(self, target: Target) -> Target:
        pauses = [p for p in self._tx.actions.pauses() if p.model_id in (None, target.model_id)]
        target = replace(target, paused_until=pauses[0].until if pauses else None)
        if target.episode is None:
            return target
        return replace(target, episode=self._rows.episodes[target.episode.id])


class _Statuses(_Noun):
    def add(self, changes: Sequence[StatusChange]) -> None:
        self._rows.statuses |= {(change.model_id, change.at): change for change in changes}

    def since(self, since: datetime, model_id: str | None = None) -> list[StatusChange]:
        return [
            change
            for change in self._changes()
            if model_id in (None, change.model_id)
            and (change.at > since or change == self._in_force(change.model_id, since))
        ]

    def _changes(self) -> list[StatusChange]:
        return [change for _, change in sorted(self._rows.statuses.items())]

    def _in_force(self, model_id: str, at: datetime) -> StatusChange | None:
        own = [each for each in self._changes() if each.model_id == model_id and each.at <= at]
        return own[-1] if own else None

    def prune(self, before: datetime) -> int:
        old = [
            change
            for change in self._changes()
            if change.at < before and change != self._in_force(change.model_id, before)
        ]
        for change in old:
            del self._rows.statuses[change.model_id, change.at]
        return len(old)


class _Breakages(_Noun):
    def begin(self, begun: Sequence[Breakage]) -> None:
        for each in begun:
            self._rows.breakages[len(self._rows.breakages)] = each

    def end(self, model_ids: Collection[str], at: datetime) -> None:
        for key, each in self._rows.breakages.items():
            if each.model_id in model_ids and each.ended_at is None:
                self._rows.breakages[key] = replace(each, ended_at=at)

    def newest(self, model_id: str | None, *, limit: int) -> list[Breakage]:
        rows = sorted(self._rows.breakages.items(), key=lambda row: (row[1].began_at, row[0]))
        return [each for _, each in reversed(rows) if model_id in (None, each.model_id)][:limit]

    def prune(self, before: datetime) -> int:
        old = [k for k, e in self._rows.breakages.items() if e.ended_at and e.ended_at < before]
        for key in old:
            del self._rows.breakages[key]
        return len(old)


class _Queue(_Noun):
    def ahead(self, rank: int, ready_at: datetime, model_id: str, *, seen_since: datetime) -> int:
        own = rank, ready_at, model_id
        return sum(
            _place(target) < own
            for target in self._queue()
            if target.observed_at is not None and target.observed_at >= seen_since
        )

    def first_waiting(self, reason: DecisionReason) -> str | None:
        waiting = [
            target
            for target in self._queue()
            if target.watched and target.decision.reason is reason
        ]
        return waiting[0].model_id if waiting else None

    def leave(self, model_id: str) -> None:
        self._rows.targets[model_id] = replace(self._rows.targets[model_id], queue_rank=None)

    def _queue(self) -> list[Target]:
        queued = [
            target
            for target in self._rows.targets.values()
            if target.health is Health.FAILING
            and is_queued(target.decision)
            and target.queue_rank is not None
            and target.ready_at is not None
            and not target.missing
        ]
        return sorted(queued, key=_place)


class _Episodes(_Noun):
    def save(self, episode: Episode) -> None:
        self._rows.episodes[episode.id] = episode

    def newest(self, model_id: str | None, *, limit: int) -> list[Episode]:
        found = [e for e in self._rows.episodes.values() if model_id in (None, e.model_id)]
        return sorted(found, key=lambda episode: episode.opened_at, reverse=True)[:limit]


class _Findings(_Noun):
    def note_error_lines(self, episode_id: str, lines: tuple[str, ...]) -> None:
        found = self._rows.findings.get(episode_id, EpisodeNotes())
        self._rows.findings[episode_id] = replace(found, error_lines=lines)

    def note_actor(self, episode_id: str, actor: str) -> None:
        found = self._rows.findings.get(episode_id, EpisodeNotes())
        self._rows.findings[episode_id] = replace(found, actor=actor)

    def of(self, model_id: str) -> dict[str, EpisodeNotes]:
        own = {e.id for e in self._rows.episodes.values() if e.model_id == model_id}
        return {each: found for each, found in self._rows.findings.items() if each in own}


class _Attempts(_Noun):
    def of(
        self, target: Target, *, since: datetime, dated: datetime | None = None
    ) -> tuple[Attempt, ...]:
        return tuple(
            attempt
            for attempt in self.visible()
            if attempt.model_id == target.model_id
            and (
                (target.episode is not None and attempt.episode_id == target.episode.id)
                or attempt.outcome is Outcome.PENDING
                or sent_or_reserved_at(attempt) >= since
                or (dated and attempt.api_date and attempt.api_date >= dated)
            )
        )

    def of_all(
        self, *, since: datetime, dated: datetime | None = None
    ) -> dict[str, tuple[Attempt, ...]]:
        found = {
            target.model_id: self.of(target, since=since, dated=dated)
            for target in self._tx.targets.all()
        }
        return {model_id: own for model_id, own in found.items() if own}

    def add(self, attempt: Attempt) -> None:
        if attempt.outcome is Outcome.PENDING and any(
            other.outcome is Outcome.PENDING and other.model_id == attempt.model_id
            for other in self._rows.attempts.values()
        ):
            raise VersionConflict(attempt.model_id)
        if attempt.id in self._rows.attempts or attempt.episode_id not in self._rows.episodes:
            raise ValueError(f"{attempt.id} is there already, or its episode is not")
        self._rows.attempts[attempt.id] = attempt
        self._grow(attempt)

    def generation(self) -> Generation:
        number, _, attempt_id = self._rows.meta.get("generation", "0 ").partition(" ")
        return Generation(int(number), attempt_id)

    def _grow(self, attempt: Attempt) -> None:
        self._rows.meta["generation"] = f"{self.generation().number + 1} {attempt.id}"

    def without_row(self, attempt_ids: Collection[str]) -> frozenset[str]:
        return frozenset(attempt_ids) - self._rows.attempts.keys()

    def put_back(self, lost: Sequence[tuple[Attempt, Episode]]) -> None:
        for attempt, episode in lost:
            self._rows.episodes.setdefault(episode.id, episode)
            self.add(attempt)

    def record_answer(self, attempt: Attempt) -> bool:
        stored = self._rows.attempts.get(attempt.id)
        if stored is None or stored.outcome not in (Outcome.PENDING, Outcome.UNKNOWN):
            return False
        ended = stored if stored.resolved_at is not None else attempt
        self._rows.attempts[attempt.id] = replace(
            stored,
            outcome=attempt.outcome,
            sent_at=attempt.sent_at,
            answered_at=attempt.answered_at,
            reason=attempt.reason,
            forbidden_key=attempt.forbidden_key,
            api_date=attempt.api_date,
            resolution=ended.resolution,
            resolved_at=ended.resolved_at,
        )
        self._grow(attempt)
        return True

    def resolve(self, resolved: Sequence[Attempt]) -> None:
        for attempt in resolved:
            self._resolve(attempt)

    def _resolve(self, attempt: Attempt) -> None:
        stored = self._rows.attempts.get(attempt.id)
        if stored is not None:
            self._rows.attempts[attempt.id] = replace(
                stored,
                resolution=attempt.resolution,
                resolved_at=attempt.resolved_at,
                presumed=attempt.presumed,
                in_flight_until=attempt.in_flight_until,
                deployment=attempt.deployment,
                made=attempt.made,
            )

    def get(self, attempt_id: str) -> Attempt | None:
        return self._rows.attempts.get(attempt_id)

    def note_ahead(self) -> None:
        for key, attempt in self._rows.attempts.items():
            since = attempt.ahead_since
            if sent_or_reserved_at(attempt) <= self._now:
                since = None
            elif since is None or since > self._now:
                since = self._now
            self._rows.attempts[key] = replace(attempt, ahead_since=since)

    def pending(self) -> list[Attempt]:
        return [a for a in self._rows.attempts.values() if a.outcome is Outcome.PENDING]

    def newest(self, model_id: str | None, *, limit: int) -> list[Attempt]:
        found = [a for a in self._rows.attempts.values() if model_id in (None, a.model_id)]
        return sorted(found, key=lambda attempt: attempt.reserved_at, reverse=True)[:limit]

    def visible(self) -> Sequence[Attempt]:
        return sorted(
            (
                attempt
                for attempt in self._rows.attempts.values()
                if self._tx.observe or attempt.outcome is not Outcome.DRY_RUN
            ),
            key=lambda attempt: (attempt.number, attempt.reserved_at),
        )


class _Usage(_Noun):
    def of_fleet(self, *, date: datetime | None, most: int) -> FleetUsage:
        return usage_of(self._tx.attempts.visible(), self._now, date=date, most=most)

    def forbidden_models(self, key_mark: str) -> int:
        every = self._rows.attempts.values()
        answered = [a for a in every if a.outcome in (Outcome.ACCEPTED, Outcome.REFUSED)]
        since = max((a.sent_at for a in answered if a.sent_at), default=None)
        return len(
            {
                a.model_id
                for a in every
                if a.forbidden_key == key_mark and a.sent_at
                if since is None or a.sent_at > since
            }
        )


class _Actions(_Noun):
    def add(self, action: Action) -> int:
        number = len(self._rows.actions) + 1
        self._rows.actions[number] = replace(action, id=number)
        return number

    def set_note(self, action_id: int, note: str) -> None:
        self._rows.actions[action_id] = replace(self._rows.actions[action_id], note=note)

    def end_pauses(self, model_id: str | None, at: datetime) -> int:
        mine = [p for p in self._pauses_at(at) if p.model_id == model_id]
        for pause in mine:
            assert pause.id is not None
            self._rows.actions[pause.id] = replace(pause, ended_at=at)
        return len(mine)

    def pauses(self) -> list[Action]:
        return self._pauses_at(self._now)

    def _pauses_at(self, at: datetime) -> list[Action]:
        found = [
            action
            for action in self._rows.actions.values()
            if action.kind is ActionKind.PAUSE and action.ended_at is None and action.until
            if action.until > at
        ]
        return sorted(found, key=lambda pause: pause.until or at, reverse=True)

    def newest(self, model_id: str | None, *, limit: int) -> list[Action]:
        found = [
            action
            for action in self._rows.actions.values()
            if model_id is None or action.model_id in (None, model_id)
        ]
        return sorted(found, key=lambda action: (action.at, action.id), reverse=True)[:limit]

    def after(self, action_id: int) -> list[Action]:
        return [action for number, action in self._rows.actions.items() if number > action_id]


class _Replicas(_Noun):
    def save(self, replica: Replica) -> None:
        if replica.active:
            for other in self._rows.replicas.values():
                self._rows.replicas[other.id] = replace(other, active=False)
        self._rows.replicas[replica.id] = replica

    def remove(self, replica_id: str) -> None:
        self._rows.replicas.pop(replica_id, None)
        self._rows.configured.pop(replica_id, None)

    def all(self) -> list[Replica]:
        return sorted(
            self._rows.replicas.values(), key=lambda each: (not each.active, each.started_at)
        )

    def configure(self, replica_id: str, model_ids: Collection[str]) -> None:
        self._rows.configured[replica_id] = frozenset(model_ids)

    def configured(self, replica_ids: Collection[str]) -> frozenset[str]:
        known = [self._rows.configured.get(each, frozenset()) for each in replica_ids]
        return frozenset[str]().union(*known)


class _Notices(_Noun):
    def waiting(self, receiver: str | None = None, subject: str | None = None) -> list[Waiting]:
        return [
            each
            for _, each in sorted(self._rows.notices.items())
            if receiver in (None, each.receiver) and subject in (None, each.notice.subject)
        ]

    def put(self, waiting: Sequence[Waiting]) -> None:
        for each in waiting:
            if each.id is None:
                number = max(self._rows.notices, default=0) + 1
                self._rows.notices[number] = replace(each, id=number)
            elif each.id in self._rows.notices:
                self._rows.notices[each.id] = each

    def remove(self, waiting: Collection[Waiting]) -> None:
        for each in waiting:
            self._rows.notices.pop(each.id or 0, None)

    def said(self, receiver: str, subject: str) -> Said | None:
        return self._rows.said.get((receiver, subject))

    def note_said(self, heard: Said) -> None:
        self._rows.said[heard.receiver, heard.subject] = heard

    def forget(self, subjects: Collection[str]) -> None:
        self.remove([w for w in self.waiting() if w.notice.subject in subjects and not w.tries])
        for key in [key for key in self._rows.said if key[1] in subjects]:
            del self._rows.said[key]


class _Breaker(_Noun):
    def began_to_fail(
        self, since: datetime, *, among: Collection[str] | None, but: str | None, most: int
    ) -> list[datetime]:
        times = (t.broke_at for t in self._counted(among, but) if t.broke_at is not None)
        return sorted((at for at in times if at > since), reverse=True)[:most]

    def not_failing(
        self, since: datetime, *, among: Collection[str] | None, but: str | None
    ) -> int:
        return sum(
            target.observed_twice
            and target.health not in (None, Health.FAILING)
            and (target.broke_at is None or target.broke_at <= since)
            for target in self._counted(among, but)
        )

    def waiting(
        self, reason: DecisionReason | None = None, *, among: Collection[str] | None
    ) -> list[str]:
        return [
            target.model_id
            for target in self._counted(among)
            if target.health is Health.FAILING
            and target.decision.kind is DecisionKind.WAIT
            and reason in (None, target.decision.reason)
        ]

    def _counted(self, among: Collection[str] | None, but: str | None = None) -> list[Target]:
        return [
            target
            for target in self._rows.targets.values()
            if (target.watched if among is None else target.model_id in among)
            and target.model_id != but
        ]

    def seen(self, since: datetime) -> list[str]:
        return [
            target.model_id
            for target in self._rows.targets.values()
            if (
                target.watched and target.next_check_at is not None and target.next_check_at > since
            )
            or (target.status is not None and target.observed_at and target.observed_at > since)
        ]

    def last_closed(self) -> datetime | None:
        closed = [each.closed_at for each in self._openings() if each.closed_at is not None]
        return max(closed, default=None)

    def opening(self) -> Opening | None:
        return next((o for o in self.openings(limit=1000) if o.closed_at is None), None)

    def openings(self, *, limit: int) -> list[Opening]:
        return sorted(self._openings(), key=lambda opening: opening.opened_at, reverse=True)[:limit]

    def _openings(self) -> list[Opening]:
        own = self._rows.observing
        return [each for each in self._rows.openings.values() if own[each.id] is self._tx.observe]

    def last_canary(self, opening_id: str) -> Canary | None:
        found = [c for c in self._rows.canaries.values() if c.opening_id == opening_id]
        return max(found, key=lambda canary: (canary.under_way, canary.named_at), default=None)

    def canaries(self, *, limit: int) -> list[Canary]:
        own = {opening.id for opening in self._openings()}
        found = [each for each in self._rows.canaries.values() if each.opening_id in own]
        return sorted(found, key=lambda canary: canary.named_at, reverse=True)[:limit]

    def canary_times(self) -> dict[str, datetime]:
        oldest_first = reversed(self.canaries(limit=1_000_000))
        return {canary.model_id: canary.named_at for canary in oldest_first}

    def save_opening(self, opening: Opening) -> None:
        self._rows.openings[opening.id] = opening
        self._rows.observing[opening.id] = self._tx.observe

    def save_canary(self, canary: Canary) -> None:
        if canary.opening_id not in self._rows.openings:
            raise ValueError(f"there is no opening {canary.opening_id}")
        self._rows.canaries[canary.id] = canary

    def prune(self, before: datetime) -> int:
        old = {o.id for o in self._rows.openings.values() if o.closed_at and o.closed_at < before}
        named = {c.id for c in self._rows.canaries.values() if c.opening_id in old}
        for opening_id in old:
            del self._rows.openings[opening_id]
        for canary_id in named:
            del self._rows.canaries[canary_id]
        return len(old) + len(named)


class _Meta(_Noun):
    def get(self, key: str) -> str | None:
        return self._rows.meta.get(key)

    def set(self, key: str, value: str) -> None:
        self._rows.meta[key] = value


class Transaction:
    """The rows of a ledger, by noun as in `ports.LedgerTransaction`."""

    def __init__(
        self,
        rows: Rows,
        now: datetime,
        *,
        observe: bool,
        knows_dead: Callable[[str, timedelta], bool],
    ) -> None:
        self._rows = rows
        self._now = now
        self.observe = observe
        self.knows_dead = knows_dead
        self.targets = _Targets(self, rows, now)
        self.statuses = _Statuses(self, rows, now)
        self.breakages = _Breakages(self, rows, now)
        self.queue = _Queue(self, rows, now)
        self.episodes = _Episodes(self, rows, now)
        self.findings = _Findings(self, rows, now)
        self.attempts = _Attempts(self, rows, now)
        self.usage = _Usage(self, rows, now)
        self.actions = _Actions(self, rows, now)
        self.replicas = _Replicas(self, rows, now)
        self.notices = _Notices(self, rows, now)
        self.breaker = _Breaker(self, rows, now)
        self.meta = _Meta(self, rows, now)

    def now(self) -> datetime:
        return self._now

    def clamp_future(self) -> None:
        _clamp(self._rows.targets, TARGET_TIMES, self._now)
        _clamp(self._rows.episodes, ("opened_at", "failing_from", "ended_at"), self._now)
        for key, attempt in self._rows.attempts.items():
            counted_from = attempt.resolved_at or attempt.ahead_since or attempt.reserved_at
            if counted_from > self._now and attempt.in_flight_until is not None:
                until = attempt.in_flight_until - (counted_from - self._now)
                self._rows.attempts[key] = replace(attempt, in_flight_until=until)
        _clamp(self._rows.attempts, ("resolved_at",), self._now)
        _clamp(self._rows.openings, ("opened_at", "closed_at", "judged_at"), self._now)
        _clamp(self._rows.canaries, ("named_at", "ended_at"), self._now)
        _clamp(self._rows.actions, ("at", "ended_at"), self._now)
        _clamp(self._rows.breakages, ("began_at", "ended_at"), self._now)
        _clamp(self._rows.said, ("at",), self._now)
        self.attempts.note_ahead()

    def prune(self, before: datetime, *, dated: datetime | None = None) -> int:
        current = {t.episode.id for t in self._rows.targets.values() if t.episode is not None}
        recent = {
            attempt.episode_id
            for attempt in self._rows.attempts.values()
            if dated is not None and attempt.api_date is not None and attempt.api_date > dated
        }
        old = {
            episode.id
            for episode in self._rows.episodes.values()
            if episode.ended_at is not None
            and episode.ended_at < before
            and episode.id not in current | recent
        }
        attempts = {a.id for a in self._rows.attempts.values() if a.episode_id in old}
        for episode_id in old:
            del self._rows.episodes[episode_id]
            self._rows.findings.pop(episode_id, None)
        for attempt_id in attempts:
            del self._rows.attempts[attempt_id]
        gone = len(old) + len(attempts) + self.breaker.prune(before)
        gone += self.statuses.prune(before)
        return gone + self.breakages.prune(before)


def _place(target: Target) -> tuple[int, datetime, str]:
    assert target.queue_rank is not None
    assert target.ready_at is not None
    return target.queue_rank, target.ready_at, target.model_id


def _clamp(rows: dict[Any, Any], names: Iterable[str], now: datetime) -> None:
    for key, row in rows.items():
        rows[key] = replace(row, **{n: now for n in names if (getattr(row, n) or now) > now})
