"""Checks that every target that could recover did: no target is left failing while the limits allow
a retry.

The time for that is the calm at the end of each run, in which nothing goes wrong: no faults, no
crashes, no clock steps, and the daemon runs. The calm is long enough for a target that waits for
several things, one after the other.
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
"""The longest interval, in seconds, while the API is down."""

_LONGEST_HOLD = 100.0
"""The longest hold, of those that the scenario's faults request and those that are used when an
answer gives no time."""


_FORBIDDEN_FLEET = 3
"""After this many models in a row were answered 403, the key is taken to be allowed no retry, for
an hour each time."""

_TTL = 31.0
"""Seconds; longer than an attempt and the record of its answer take."""


def bound(scenario: Scenario) -> float:
    """The most seconds from the start of the calm until a target is retried once."""
    noticed = _LONGEST_INTERVAL + 1.2 * scenario.effective_interval + _LONGEST_HOLD
    rules = [model.rules for model in scenario.models]
    own = max(
        max(each.first_delay, each.backoff_max * (1 + each.jitter)) + each.stuck_after
        for each in rules
    )
    # The other targets may go first, with each of their attempts, each until it is stuck.
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
    """The limit that may prevent a retry of it, if there is one."""
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
    """Whether its looks may have no answer during the whole calm."""
    return any(fault.until == NEVER and fault.model_id == model.id for fault in scenario.faults)


def _forbidden(sent: Sequence[Request]) -> list[Request]:
    """The models that were answered 403 since the last other answer."""
    return list(takewhile(lambda post: post.code == 403, reversed(sent)))


def _left_behind(scenario: Scenario, log: Log) -> int:
    """How many processes may have left a reservation that was never sent, which is charged."""
    ends = [one for one in log.happened if one.kind in ("kill", "stop")]
    if not any(fault.kind == "ledger_locked" for fault in scenario.faults):
        # A command that ends by itself has recorded everything that it did.
        ends = [one for one in ends if one.kind == "kill" or not one.who.startswith("command")]
    if any(fault.kind == "ledger_locked" for fault in scenario.faults):
        return len(ends)
    begun = [(name.partition("/")[0], at) for name, at in log.begun.items()]
    return sum(
        any(client == end.who and end.at - at <= _TTL for client, at in begun) for end in ends
    )
