"""Checks the order of the queue, and how long a model may wait in it.

Among the models that only the fleet's limits prevent from a retry, the one that was ready first
goes first: first attempts before later ones, and models whose last retry was forbidden last. So the
first attempt of a model waits only for the first attempts of the others. Each of these takes a
place in the fleet's minute, and holds a place in flight until it is stuck at the latest. It does
not matter how fast the others fail again, whether they are forbidden, and whether they can be seen.

The log does not show when a model began to wait. It certainly waits from a look that showed it
failing after its own delay was over; it certainly did not wait before its delay was over. Scenarios
in which holds, the breaker, crashes or clock steps can also change the order are not checked.
"""

import math
from collections.abc import Iterator, Sequence

from tests.simulation.limits import surely_in_flight
from tests.simulation.log import Log, Request
from tests.simulation.scenario import FAILING, HEALTHY, NEVER, FaultKind, Scenario
from tests.simulation.verdict import (
    MINUTE,
    Violation,
    clocks_apart,
    gate_wait,
    of_model,
    posts,
    reserved_before,
    useful,
)
from tests.simulation.waiting import SLACK, Wait, moment, most_backoff, waits

_LATE = 3.0
"""Seconds after which a free place in the minute may still not be used."""

_HARMLESS: tuple[FaultKind, ...] = ("403", "503", "blind", "other_model", "not_development")

_FORBIDDEN_FLEET = 3


def check_fairness(scenario: Scenario, log: Log, ended_at: float) -> Iterator[Violation]:
    if not _clear(scenario, log):
        return
    until = min(ended_at, _all_forbidden(posts(log)))
    waiting = [
        wait
        for model in scenario.models
        if model.id not in scenario.unwatched
        for wait in waits(scenario, log, model.id, until)
    ]
    for wait in waiting:
        yield from _too_long(scenario, log, wait)
    sent = posts(log)
    for index, post in enumerate(sent):
        if post.departed <= until:
            yield from _passed(scenario, log, sent[:index], post, waiting)


def _clear(scenario: Scenario, log: Log) -> bool:
    """Whether nothing but the queue decides who goes first."""
    return (
        scenario.cron is None
        and _lives_once(log)
        and not (scenario.steps or scenario.suspends)
        and all(set(each.models) <= set(scenario.unwatched) for each in scenario.commands)
        and all(each.models for each in scenario.commands)
        and scenario.breaker.min_failures > len(scenario.models)
        and all(fault.kind in _HARMLESS for fault in scenario.faults)
        and all(fault.kind != "403" or fault.operation == "retry" for fault in scenario.faults)
        and len(posts(log)) < scenario.limits.per_day
    )


def _lives_once(log: Log) -> bool:
    """Whether one daemon, which retries, runs from the start to the end."""
    starts = [one for one in log.happened if one.kind == "start" and one.who.startswith("daemon")]
    killed = any(one.kind == "kill" for one in log.happened)
    return len(starts) == 1 and not killed and not starts[0].detail.startswith("observe")


def _all_forbidden(sent: Sequence[Request]) -> float:
    """When three models in a row got a 403, with no other answer in between: the fleet may wait
    then."""
    models: set[str] = set()
    for post in sent:
        models = {*models, post.model_id} if post.code == 403 else set()
        if len(models) >= _FORBIDDEN_FLEET:
            return post.departed
    return NEVER


def _too_long(scenario: Scenario, log: Log, wait: Wait) -> Iterator[Violation]:
    """A first attempt that waits longer than the first attempts of the others can take."""
    if not wait.first:
        return
    limits, count = scenario.limits, len(scenario.models)
    others = count - 1 - _surely_later(scenario, log, wait)
    minutes = math.ceil((others + 1) / limits.per_minute) * (MINUTE + _LATE)
    held = max(model.rules.stuck_after for model in scenario.models) + _LATE
    places = 0.0 if limits.in_flight >= count else held * (1 + others // limits.in_flight)
    least = minutes + places + 1.5 * scenario.effective_interval + SLACK
    if wait.until - wait.since > least:
        text = f"its first attempt was due at {wait.since:.0f}, and may wait {least:.0f} s at most"
        yield Violation("first attempt", wait.until, wait.model_id, text)


def _surely_later(scenario: Scenario, log: Log, wait: Wait) -> int:
    """How many others certainly had their first attempts before this one began to wait."""
    return sum(
        _again(log, model.id, wait.since) for model in scenario.models if model.id != wait.model_id
    )


def _again(log: Log, model_id: str, by: float) -> bool:
    """Whether the next attempt of a model is certainly not a first attempt."""
    sent = [each for each in of_model(posts(log), model_id) if each.departed < by]
    if not sent:
        return False
    acted = any(one.kind == "act" and one.who == model_id and one.at <= by for one in log.happened)
    well = any(
        look.served in HEALTHY and sent[0].departed < (look.delivered or NEVER) <= by
        for look in of_model(log.requests, model_id)
    )
    return not acted and not well


def _passed(
    scenario: Scenario,
    log: Log,
    before: Sequence[Request],
    post: Request,
    waiting: Sequence[Wait],
) -> Iterator[Violation]:
    """A POST although at least as many models were certainly before it in the queue as there can
    have been places."""
    reserved = post.departed - reserved_before(scenario)
    ahead = [
        wait
        for wait in waiting
        if wait.model_id != post.model_id
        and wait.since < reserved
        and wait.until > post.departed + reserved_before(scenario)
        and _comes_before(scenario, log, wait, post)
    ]
    minute = MINUTE - gate_wait(scenario) - SLACK
    used = sum(clocks_apart(each, post) < minute for each in before)
    held = len(surely_in_flight(scenario, log, before, post))
    free = min(scenario.limits.per_minute - used, scenario.limits.in_flight - held)
    if ahead and len(ahead) >= free:
        names = ", ".join(f"{wait.model_id} (since {wait.since:.0f})" for wait in ahead)
        text = f"#{post.number}: {free} places at most, and before it came {names}"
        yield Violation("order", post.departed, post.model_id, text)


def _comes_before(scenario: Scenario, log: Log, wait: Wait, post: Request) -> bool:
    """Whether the waiting model is certainly before the POST's model in the queue."""
    own = of_model(log.requests, post.model_id)
    sent = [each for each in own if each.operation == "retry" and each.departed < post.departed]
    if sent and sent[-1].code == 403:
        return True
    if _again(log, post.model_id, post.departed):
        backoff = most_backoff(scenario.rules(post.model_id), 1)
        return wait.first or sent[-1].departed + backoff > wait.since
    if not wait.first:
        return False
    failing = _failing_since(own, post)
    return failing + scenario.rules(post.model_id).first_delay > wait.since


def _failing_since(own: Sequence[Request], post: Request) -> float:
    """When the answer came to the first look of the last uninterrupted failing ones."""
    since = NEVER
    for look in sorted((each for each in own if _useful_look(each)), key=moment):
        if (look.delivered or 0) > post.departed:
            break
        since = min(since, look.delivered or 0) if look.served in FAILING else NEVER
    return 0.0 if since == NEVER else since


def _useful_look(request: Request) -> bool:
    return request.operation == "look" and useful(request)
