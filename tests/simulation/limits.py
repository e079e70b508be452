"""Checks the limits, counted from the requests alone.

The limits in a time span hold in ledger time, which is the time of the sender's clock
(`Request.clock`; `clocks.py` checks that clock), and by the API's clock: no step of the wall clock
shortens them by more than an answer may be late. If the clock is set back while no process runs, a
POST in the future counts as of the next start. If an older ledger was put in place, a POST that it
does not contain counts only for the process that sent it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from tests.simulation.log import Log, Request
from tests.simulation.scenario import FAILING, HEALTHY, NEVER, STOPPED, Scenario
from tests.simulation.verdict import (
    DAY,
    MINUTE,
    ROUNDING,
    Ages,
    Violation,
    gate_wait,
    known,
    of_model,
    posts,
    reserved_before,
    surely_charged,
    useful,
)

Age = Callable[[Request, Request], float]
"""How old the first request is when the second one is sent, in seconds."""


def check_limits(scenario: Scenario, log: Log) -> Iterator[Violation]:
    sent, slack, age = posts(log), gate_wait(scenario), partial(Ages(log).for_limits, scenario)
    charged = [post for post in sent if surely_charged(post)]
    limits = scenario.limits
    within = partial(_within, scenario)
    yield from within("fleet minute", sent, limits.per_minute, MINUTE - slack, age)
    yield from within("fleet day", charged, limits.per_day, DAY - slack, age)
    for model in scenario.models:
        most, span = model.rules.max_attempts_per_window, model.rules.window - slack
        own = of_model(charged, model.id)
        yield from within("window", own, most, span, age, model.id)
    yield from _in_flight(scenario, log, sent)


def _within(
    scenario: Scenario,
    rule: str,
    sent: Sequence[Request],
    most: int,
    span: float,
    age: Age,
    model_id: str | None = None,
) -> Iterator[Violation]:
    for index, post in enumerate(sent):
        recent = [
            other
            for other in sent[: index + 1]
            if age(other, post) < span and known(scenario, other, post)
        ]
        if len(recent) > most:
            numbers = ", ".join(f"#{each.number}" for each in recent)
            text = f"{len(recent)} POSTs within {span:.2f} s, at most {most}: {numbers}"
            yield Violation(rule, post.departed, model_id, text)


def _in_flight(scenario: Scenario, log: Log, sent: Sequence[Request]) -> Iterator[Violation]:
    """Checks the builds of retries that are really under way, whatever a lagging look shows of
    them. Each model holds one place."""
    ends, age = _ends(scenario, sent, log), partial(Ages(log).for_limits, scenario)
    for index, post in enumerate(sent):
        going = _going(scenario, ends, sent[:index], post, age)
        if len(going) + 1 > scenario.limits.in_flight:
            numbers = ", ".join(f"#{each.number}" for each in going)
            text = f"#{post.number} beside {numbers}, at most {scenario.limits.in_flight}"
            yield Violation("in flight", post.departed, None, text)


def surely_in_flight(
    scenario: Scenario, log: Log, before: Sequence[Request], post: Request
) -> Sequence[Request]:
    """The POSTs that certainly hold a place when another one is sent, one for each model."""
    return _going(scenario, _ends(scenario, before, log), before, post, Ages(log).by_ledger)


def _going(
    scenario: Scenario,
    ends: Mapping[int, float],
    before: Sequence[Request],
    post: Request,
    age: Age,
) -> Sequence[Request]:
    holders = {
        each.model_id: each
        for each in before
        if _under_way(each, post, scenario, ends[each.number], age)
    }
    return sorted(holders.values(), key=lambda each: each.number)


def _under_way(
    post: Request, other: Request, scenario: Scenario, ended_at: float, age: Age
) -> bool:
    """Whether the build of `post` is under way when `other` is sent, and nothing can have shown the
    watchdog that it ended. An attempt that the watchdog only presumes to have failed holds its
    place for `settle`."""
    if post.arrived is None or not post.executed or post.settles_at is None:
        return False
    if post.settles_at <= other.departed or post.model_id == other.model_id:
        return False
    rules = scenario.rules(post.model_id)
    held = min(rules.stuck_after - reserved_before(scenario), rules.settle)
    held_still = age(post, other) < held - ROUNDING and ended_at > other.departed
    return held_still and known(scenario, post, other)


def _ends(scenario: Scenario, sent: Sequence[Request], log: Log) -> dict[int, float]:
    """By the number of each POST, the first moment at which its build may have ended for the
    watchdog: an operator acted, or a look saw the model healthy or stopped, or failing after
    another status."""
    looks: dict[str, list[Request]] = defaultdict(list)
    acts: dict[str, list[float]] = defaultdict(list)
    for one in log.happened:
        if one.kind == "act":
            acts[one.who].append(one.at)
    for look in log.requests:
        if look.operation == "look" and useful(look):
            looks[look.model_id].append(look)
    return {
        post.number: min(
            [at for at in acts[post.model_id] if at >= post.departed - reserved_before(scenario)]
            + [_seen_to_end(post, looks[post.model_id])]
        )
        for post in sent
    }


def _seen_to_end(post: Request, looks: Sequence[Request]) -> float:
    moved = False
    for look in looks:
        if look.delivered is None or look.delivered < post.departed:
            continue
        if look.served in (*HEALTHY, *STOPPED) or (moved and look.served in FAILING):
            return look.delivered
        moved = moved or look.served not in FAILING
    return NEVER
