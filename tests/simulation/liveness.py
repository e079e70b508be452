"""Every target that could recover did: none is left failing while the limits allow a retry.

The bound is the calm at the end of each run. Nothing is wrong in it: no faults, no crashes, no
clock steps, and the daemon runs. What was waiting then for one thing after another has waited for
all of them by its end.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import takewhile

from tests.simulation.log import Log, Request
from tests.simulation.scenario import FAILING, NEVER, ModelPlan, Scenario
from tests.simulation.verdict import (
    DAY,
    MINUTE,
    Ages,
    Violation,
    of_model,
    posts,
    refused,
    surely_charged,
)

_LONGEST_INTERVAL = 300.0
"""What the interval grows to while the API is down."""

_LONGEST_HOLD = 100.0
"""Of those that the faults ask for, and of those that nobody asked for."""


_FORBIDDEN_FLEET = 3
"""So many models, answered 403 in a row, and the key may retry nothing: for an hour each time."""

_TTL = 31.0
"""Longer than it takes to make an attempt and record its answer."""


def bound(scenario: Scenario) -> float:
    """How long the worst of targets may take to be retried once, from the start of the calm."""
    noticed = _LONGEST_INTERVAL + 1.2 * scenario.effective_interval + _LONGEST_HOLD
    rules = [model.rules for model in scenario.models]
    own = max(
        max(each.first_delay, each.backoff_max * (1 + each.jitter)) + each.stuck_after
        for each in rules
    )
    # The others may go first, each until it is stuck, and each attempt of theirs.
    others = sum(each.max_attempts for each in rules)
    turns = own * (1 + others / scenario.limits.in_flight)
    minutes = MINUTE * others / scenario.limits.per_minute
    breaker = scenario.breaker.window + others * (scenario.breaker.cooldown + own)
    if scenario.breaker.min_failures > len(rules):
        breaker = 0
    return noticed + turns + minutes + breaker


def check_liveness(
    scenario: Scenario, log: Log, statuses: Mapping[str, str | None], ended_at: float
) -> Iterator[Violation]:
    if scenario.lives[-1].observe:
        return
    for model in scenario.models:
        if statuses[model.id] in FAILING and not spent(scenario, model, log):
            text = f"left in {statuses[model.id]}, though it may be retried"
            yield Violation("liveness", ended_at, model.id, text)


def spent(scenario: Scenario, model: ModelPlan, log: Log) -> str | None:
    """Which limit may keep it from being retried, if any."""
    return _left_alone(scenario, model, log) or _limited(scenario, model, log)


def _left_alone(scenario: Scenario, model: ModelPlan, log: Log) -> str | None:
    sent = posts(log)
    own = of_model(sent, model.id)
    if model.rules.ignores_standing:
        return "standing failure"
    if model.id in scenario.unwatched or _never_seen(scenario, model):
        return "nobody looks at it"
    if len(_forbidden(own)) > 1:
        return "forbidden"
    if len({post.model_id for post in _forbidden(sent)}) >= _FORBIDDEN_FLEET:
        return "forbidden fleet"
    if sum(refused(post) for post in own if surely_charged(post)) > 1:
        return "refused twice"
    return None


def _limited(scenario: Scenario, model: ModelPlan, log: Log) -> str | None:
    rules, limits = model.rules, scenario.limits
    left_behind = _left_behind(scenario, log)
    sent = [post for post in posts(log) if surely_charged(post)]
    own = of_model(sent, model.id)
    if len(own) + left_behind >= rules.max_attempts:
        return "episode"
    if not log.requests:
        return None
    last, age = log.requests[-1], partial(Ages(log).for_limits, scenario)
    recent = [post for post in own if age(post, last) < rules.window]
    if len(recent) + left_behind >= rules.max_attempts_per_window:
        return "window"
    today = [post for post in sent if age(post, last) < DAY]
    if len(today) + len(scenario.models) * left_behind >= limits.per_day:
        return "fleet day"
    return None


def _never_seen(scenario: Scenario, model: ModelPlan) -> bool:
    """Whether its looks may go unanswered through the calm."""
    return any(fault.until == NEVER and fault.model_id == model.id for fault in scenario.faults)


def _forbidden(sent: Sequence[Request]) -> list[Request]:
    """Those that were answered 403 since any other answer."""
    return list(takewhile(lambda post: post.code == 403, reversed(sent)))


def _left_behind(scenario: Scenario, log: Log) -> int:
    """How many processes may have left a reservation behind that was never sent: it is charged."""
    ends = [one for one in log.happened if one.kind in ("kill", "stop")]
    if not any(fault.kind == "ledger_locked" for fault in scenario.faults):
        # A command that comes to its end by itself has recorded whatever it did.
        ends = [one for one in ends if one.kind == "kill" or not one.who.startswith("command")]
    if any(fault.kind == "ledger_locked" for fault in scenario.faults):
        return len(ends)
    begun = [(name.partition("/")[0], at) for name, at in log.begun.items()]
    return sum(
        any(client == end.who and end.at - at <= _TTL for client, at in begun) for end in ends
    )
