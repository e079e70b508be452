"""The part of the page above its table: about the daemon, and about all targets together."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from watchdog.domain.limits import FLEET_DAY, fleet_remaining, room_at
from watchdog.domain.records import Action, Health
from watchdog.domain.replica import ReplicaState
from watchdog.engine.fleet.condition import Condition
from watchdog.engine.fleet.overview import Overview
from watchdog.engine.settings import Settings
from watchdog.text.duration import format_duration
from watchdog.text.phrases import age, ago, ahead, signature
from watchdog.web.headline import api_known, models


@dataclass(frozen=True, slots=True)
class About:
    """Facts that do not change after the start. `ledger` is the kind of its database."""

    version: str
    ledger: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A name, its value, and a detail. `tone` is as in `words.State`."""

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
    """A remark that is shown above everything else."""

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
    yield _api(condition, seen)
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
        True: ReplicaState.ACTIVE.value,
        False: ReplicaState.STANDBY.value,
        None: "starts",
    }[condition.active]
    others = len(seen.replicas) - 1 if seen is not None else 0
    name = signature(settings.owner)
    more = f"{name}, one of {others + 1}" if others > 0 else name
    return Fact("This replica", text, more, "good" if condition.active else "hand")


def _api(condition: Condition, seen: Overview | None) -> Fact:
    api = api_known(seen, condition) if seen is not None else condition.api_state
    if api.key_accepted is False:
        return Fact("API", "refuses the key", f"HTTP {api.refused}", "bad")
    if api.up is False:
        return Fact("API", "answers no request", api.failure, "bad")
    held = condition.held(seen.now) if seen is not None else {}
    if seen is not None and held:
        return Fact("API", "asked to wait", f"{ahead(max(held.values()), seen.now)}", "warn")
    if api.key_accepted is None:
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
            ("Retries in flight", allowed.max_in_flight, left.in_flight),
            ("Retries in 24 hours", allowed.max_attempts_per_window, left.window),
        )
    ]


def _failing(seen: Overview) -> str:
    count = sum(each.target.health is Health.FAILING for each in seen.targets)
    return f"{count} {'fails' if count == 1 else 'fail'}"


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
    api = api_known(seen, condition)
    if api.key_accepted is False:
        yield Note(
            "bad",
            "Nothing is checked or retried until a valid key is in place: what is shown here is "
            "from before.",
        )
    elif api.up is False:
        yield Note("bad", "Nothing is retried, and what is shown here may be out of date.")
    if seen.opening is not None:
        yield Note(
            "bad",
            f"The breaker is open: {models(seen.opening.failures)} had begun to fail at once when "
            f"it opened, and {_failing(seen)} now, so the platform probably has a problem. One "
            "model at a time is tried until one recovers.",
        )
    room = _fleet_room(seen)
    if room is not None:
        most = seen.fleet.limits.max_attempts_per_window
        yield Note(
            "bad",
            f"All {most} retries that the fleet may send in 24 hours are spent: the next one is "
            f"possible {ahead(room, seen.now)}.",
        )
    for pause in seen.pauses:
        if pause.model_id is None:
            yield Note("hand", f"All retries are paused: {_pause(pause, seen.now)}")


def _fleet_room(seen: Overview) -> datetime | None:
    """When the fleet's window has room again; None if it has some now."""
    fleet = seen.fleet
    return room_at(fleet.charged, fleet.limits.max_attempts_per_window, FLEET_DAY, seen.now)


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
            each.state(seen.now).value,
            each.version,
            age(seen.now - each.started_at),
            ago(each.seen_at, seen.now),
        )
        for each in seen.replicas
    ]
