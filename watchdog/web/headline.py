"""The whole fleet in one line."""

from collections.abc import Iterable

from watchdog.domain.limits import fleet_remaining
from watchdog.domain.records import DecisionReason, Target, TargetState
from watchdog.domain.status import is_broken, needs_operator, state_of
from watchdog.engine.fleet.api_state import ApiState
from watchdog.engine.fleet.condition import Condition
from watchdog.engine.fleet.overview import Overview

_NONE_WATCHED = "No model is watched"
_WELL = (TargetState.HEALTHY, TargetState.IN_PROGRESS)


def headline(seen: Overview, condition: Condition) -> str:
    """What keeps all models from being seen or retried, if anything does; then which of them need
    attention."""
    api = api_known(seen, condition)
    obstacle = _obstacle(seen, api)
    targets = [each.target for each in seen.targets]
    found = _attention(targets, "" if obstacle else "none needs you yet")
    if not found and not _is_blind(api):
        found = _well(targets)
    return ". ".join(filter(None, (obstacle, found)))


def api_known(seen: Overview, condition: Condition) -> ApiState:
    """What is known of the API. A replica that stands by does not ask the API, so it takes what the
    active one wrote."""
    return seen.api if condition.active is False else condition.api_state


def _is_blind(api: ApiState) -> bool:
    """Whether nothing can be checked, so that it is not known whether the models are still well."""
    return api.key_accepted is False or api.up is False


def _obstacle(seen: Overview, api: ApiState) -> str:
    if api.key_accepted is False:
        return "The API refuses the key"
    if api.up is False:
        return "The API answers no request"
    if seen.opening is not None:
        return "The breaker is open"
    if fleet_remaining(seen.fleet, seen.now).window == 0:
        return "The fleet's retries of 24 hours are spent"
    return "All retries are paused" if any(each.model_id is None for each in seen.pauses) else ""


def _attention(targets: Iterable[Target], comfort: str) -> str:
    """How many models are broken, need an operator for another reason, or fail; empty if none do.
    `comfort` is said of models that only fail."""
    broken = needing = failing = spent = 0
    for each in targets:
        if is_broken(each):
            broken += 1
        elif needs_operator(each):
            needing += 1
        elif state_of(each) in (TargetState.WAITING, TargetState.RECOVERING):
            failing += 1
            spent += each.decision.reason is DecisionReason.WINDOW_SPENT
    windows = "its window" if spent == 1 else "their windows"
    no_retry = f"{spent} with no retry left in {windows}" if spent else ""
    if broken:
        more = f"{needing} more {_need(needing)} you" if needing else ""
        return _listed(f"{models(broken)} broken", more, no_retry)
    if needing:
        return _listed(f"{models(needing)} {_need(needing)} you", no_retry)
    if failing:
        return _listed(f"{models(failing)} failing", no_retry or comfort)
    return ""


def _well(targets: list[Target]) -> str:
    total = len(targets)
    well = sum(state_of(each) in _WELL for each in targets)
    if total == 0:
        return _NONE_WATCHED
    if well == total:
        return "The one model is well" if total == 1 else f"All {total} models are well"
    return f"{well} of {models(total)} well, none failing"


def models(count: int) -> str:
    return f"{count} {'model' if count == 1 else 'models'}"


def _need(count: int) -> str:
    return "needs" if count == 1 else "need"


def _listed(*parts: str) -> str:
    return ", ".join(filter(None, parts))
