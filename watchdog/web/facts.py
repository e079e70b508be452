"""The part of the page above its table: about the daemon, and about all targets together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from watchdog.domain.limits import fleet_remaining
from watchdog.domain.records import Action, Health, TargetState
from watchdog.domain.replica import ReplicaState
from watchdog.domain.status import is_broken
from watchdog.engine.fleet.condition import Condition
from watchdog.engine.fleet.overview import Overview
from watchdog.engine.settings import Settings
from watchdog.text.duration import format_duration
from watchdog.text.phrases import age, ago, ahead, signature
from watchdog.web.rows import Row
from watchdog.web.words import REPLICAS, URGENT


@dataclass(frozen=True, slots=True)
class About:
    """Facts that do not change after the start. `ledger` is the kind of its database."""

    version: str
    ledger: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A name, its value, and a detail. `tone` as of a state."""

    name: str
    text: str
    more: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    name: str
    used: int
    allowed: int

    @property
    def left(self) -> int:
        return self.allowed - self.used


class Note(NamedTuple):
    """A notice that stands before everything else."""

    tone: str
    text: str


def facts(
    about: About, settings: Settings, condition: Condition, seen: Overview | None
) -> Iterator[Fact]:
    """`seen` is None while the ledger does not answer."""
    observe = settings.observe
    yield Fact(
        "Mode",
        "observe" if observe else "retry",
        "sends nothing" if observe else "",
        "hand" if observe else "",
    )
    yield _replica(settings, condition, seen)
    yield _api(condition, seen.now if seen is not None else None)
    if seen is not None:
        yield _breaker(seen)
    yield Fact(
        "Ledger",
        "answers" if seen is not None else "does not answer",
        about.ledger,
        "good" if seen is not None else "bad",
    )
    yield _interval(settings)
    yield Fact("Version", about.version)


def _replica(settings: Settings, condition: Condition, seen: Overview | None) -> Fact:
    text = {
        True: REPLICAS[ReplicaState.ACTIVE],
        False: REPLICAS[ReplicaState.STANDBY],
        None: "starts",
    }[condition.active]
    others = len(seen.replicas) - 1 if seen is not None else 0
    name = signature(settings.owner)
    more = f"{name}, one of {others + 1}" if others > 0 else name
    return Fact("This replica", text, more, "good" if condition.active else "hand")


def _api(condition: Condition, now: datetime | None) -> Fact:
    if condition.key_accepted is False:
        return Fact("API", "refuses the key", f"HTTP {condition.refused}", "bad")
    if condition.failure:
        return Fact("API", "answers nobody", condition.failure, "bad")
    held = condition.held(now) if now is not None else {}
    if now is not None and held:
        return Fact("API", "asked for quiet", f"{ahead(max(held.values()), now)}", "warn")
    if condition.key_accepted is None:
        return Fact("API", "not asked yet")
    return Fact("API", "answers", "key accepted", "good")


def _breaker(seen: Overview) -> Fact:
    if seen.opening is None:
        return Fact("Breaker", "closed", "", "good")
    return Fact("Breaker", "open", ago(seen.opening.opened_at, seen.now), "bad")


def _interval(settings: Settings) -> Fact:
    asked, effective = settings.interval, settings.effective_interval
    if effective > asked:
        more = f"stretched from {_length(asked)}: so many models"
        return Fact("Checks every", _length(effective), more, "warn")
    return Fact("Checks every", _length(asked))


def _length(span: timedelta) -> str:
    """Exact for a duration that an operator sets, rounded for others."""
    return format_duration(span) if not span.microseconds else age(span)


def limits(seen: Overview) -> list[Limit]:
    allowed, left = seen.fleet.limits, fleet_remaining(seen.fleet, seen.now)
    return [
        Limit(name, limit - remaining, limit)
        for name, limit, remaining in (
            ("Retries this minute", allowed.max_retries_per_minute, left.minute),
            ("Retries under way", allowed.max_in_flight, left.in_flight),
            ("Retries in 24 hours", allowed.max_attempts_per_window, left.window),
        )
    ]


def headline(rows: Sequence[Row]) -> str:
    """The whole in one line."""
    if not rows:
        return "No model is watched"
    urgent = sum(row.state in URGENT for row in rows)
    broken = sum(is_broken(row.target) for row in rows)
    failing = sum(row.state in (TargetState.WAITING, TargetState.RECOVERING) for row in rows)
    if broken:
        gave_up = f", {urgent} more {_need(urgent)} a person" if urgent else ""
        return f"{_models(broken)} broken{gave_up}"
    if urgent:
        return f"{_models(urgent)} {_need(urgent)} a person"
    if failing:
        return f"{_models(failing)} failing, none needs a person yet"
    well = sum(row.state in (TargetState.HEALTHY, TargetState.IN_PROGRESS) for row in rows)
    if well == len(rows):
        return "The one model is well" if well == 1 else f"All {well} models are well"
    return f"{well} of {_models(len(rows))} well, none failing"


def _need(count: int) -> str:
    return "needs" if count == 1 else "need"


def _failing(seen: Overview) -> str:
    count = sum(each.target.health is Health.FAILING for each in seen.targets)
    return f"{count} {'fails' if count == 1 else 'fail'}"


def _models(count: int) -> str:
    return f"{count} {'model' if count == 1 else 'models'}"


def notes(settings: Settings, condition: Condition, seen: Overview) -> Iterator[Note]:
    """Conditions that concern all targets and are not normal."""
    if condition.active is False:
        who = next(
            (each for each in seen.replicas if each.state(seen.now) is ReplicaState.ACTIVE), None
        )
        watcher = f"{signature(who.id)} watches" if who is not None else "nobody watches"
        yield Note("hand", f"This replica stands by: {watcher}. Below is what the ledger holds.")
    if settings.observe:
        yield Note("hand", "It only observes: it decides and records, and sends nothing.")
    if condition.key_accepted is False:
        yield Note("bad", "The API refuses the key. Nothing is checked until a person fixes it.")
    elif condition.failure:
        yield Note("bad", "The API answers nobody: what is shown here may be out of date.")
    if seen.opening is not None:
        yield Note(
            "bad",
            f"The breaker is open: {_models(seen.opening.failures)} had begun to fail at once when "
            f"it opened, and {_failing(seen)} now, so the platform is probably ill. One model at a "
            "time is tried until one recovers.",
        )
    for pause in seen.pauses:
        if pause.model_id is None:
            yield Note("hand", f"All retries are paused: {_pause(pause, seen.now)}")


def _pause(pause: Action, now: datetime) -> str:
    note = f" “{pause.note}”" if pause.note else ""
    left = age(pause.until - now) if pause.until else ""
    return f"by {pause.who}, for another {left}.{note}"


class Living(NamedTuple):
    """A daemon that shares the ledger."""

    name: str
    state: str
    version: str
    up: str
    seen: str


def living(seen: Overview) -> list[Living]:
    return [
        Living(
            signature(each.id),
            REPLICAS[each.state(seen.now)],
            each.version,
            age(seen.now - each.started_at),
            ago(each.seen_at, seen.now),
        )
        for each in seen.replicas
    ]
