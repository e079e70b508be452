"""What happened lately, newest first: retries, the breaker, operators and the daemons."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from watchdog.domain.breaker import Opening
from watchdog.domain.records import Action, Attempt, Resolution
from watchdog.domain.replica import Replica
from watchdog.engine.fleet.overview import Overview
from watchdog.text.phrases import age, signature
from watchdog.web.words import ACTIONS, OUTCOMES, RESOLUTIONS

_SHOWN = 12


class Happening(NamedTuple):
    """`model_id` is empty if it concerns no model, and None if it concerns all. `word` is what logs
    and commands call it."""

    at: datetime
    model_id: str | None
    what: str
    word: str
    by: str
    detail: str


def activity(seen: Overview) -> list[Happening]:
    recent = seen.recent
    found = [_of_attempt(each) for each in recent.attempts]
    found += [_of_action(each) for each in recent.actions]
    found += [line for each in recent.openings for line in _of_opening(each)]
    found += [line for each in seen.replicas for line in _of_replica(each)]
    return sorted(found, key=lambda each: each.at, reverse=True)[:_SHOWN]


def names(seen: Overview) -> Mapping[str, str]:
    """What each model is called, by id."""
    return {each.target.model_id: each.target.name or each.target.model_id for each in seen.targets}


def _of_attempt(attempt: Attempt) -> Happening:
    resolution, outcome = attempt.resolution, attempt.outcome
    came = "under way" if resolution is None else RESOLUTIONS[resolution]
    if resolution is Resolution.ANSWERED:
        came = attempt.reason or ""
    what = f"retry {attempt.number}: {OUTCOMES[outcome]}"
    by = signature(attempt.owner)
    return Happening(attempt.reserved_at, attempt.model_id, what, outcome.value, by, came)


def _of_action(action: Action) -> Happening:
    what = ACTIONS[action.kind]
    return Happening(action.at, action.model_id, what, action.kind.value, action.who, action.note)


def _of_opening(opening: Opening) -> Iterator[Happening]:
    why = f"{opening.failures} models began to fail, {opening.not_failing} did not"
    yield Happening(opening.opened_at, None, "the breaker opened", "breaker_open", "", why)
    if opening.closed_at is not None and opening.closed_by is not None:
        after = f"after {age(opening.closed_at - opening.opened_at)}"
        word = opening.closed_by.value
        yield Happening(opening.closed_at, None, "the breaker closed", word, "", after)


def _of_replica(replica: Replica) -> Iterator[Happening]:
    name, version = signature(replica.id), f"version {replica.version}"
    yield Happening(replica.started_at, "", "the daemon started", "started", name, version)
    if replica.configured_at > replica.started_at:
        what = "took up a changed configuration"
        yield Happening(replica.configured_at, "", what, "config_reloaded", name, "")
