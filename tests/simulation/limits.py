"""The limits, counted from the requests alone.

All are promised in ledger time, which is what the sender's clock said (`Request.clock`; that it
keeps to the clock's own promises is checked apart). So a step of the wall clock that happens while
no process runs, which is believed, shortens a limit by as much; after one back what then lies in
the future counts as now.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from tests.simulation.log import NEVER, Log, Request
from tests.simulation.scenario import FAILING, Scenario
from tests.simulation.verdict import (
    DAY,
    MINUTE,
    ROUNDING,
    Violation,
    for_limits,
    gate_wait,
    of_model,
    posts,
    surely_charged,
)


def check_limits(scenario: Scenario, log: Log) -> Iterator[Violation]:
    sent, slack = posts(log), gate_wait(scenario)
    charged = [post for post in sent if surely_charged(post)]
    limits = scenario.limits
    yield from _within("fleet minute", sent, limits.per_minute, MINUTE - slack)
    yield from _within("fleet day", charged, limits.per_day, DAY - slack)
    for model in scenario.models:
        most, span = model.rules.max_attempts_per_window, model.rules.window - slack
        own = of_model(charged, model.id)
        yield from _within("window", own, most, span, model.id)
    yield from _in_flight(scenario, log, sent)


def _within(
    rule: str,
    sent: Sequence[Request],
    most: int,
    span: float,
    model_id: str | None = None,
) -> Iterator[Violation]:
    for index, post in enumerate(sent):
        recent = [other for other in sent[: index + 1] if for_limits(other, post) < span]
        if len(recent) > most:
            numbers = ", ".join(f"#{each.number}" for each in recent)
            text = f"{len(recent)} POSTs within {span:.2f} s, at most {most}: {numbers}"
            yield Violation(rule, post.departed, model_id, text)


def _in_flight(scenario: Scenario, log: Log, sent: Sequence[Request]) -> Iterator[Violation]:
    """As far as it can be seen: what a retry began, and is surely still under way."""
    ends = _ends(sent, log)
    for index, post in enumerate(sent):
        going = [
            each for each in sent[:index] if _under_way(each, post, scenario, ends[each.number])
        ]
        if len(going) + 1 > scenario.limits.in_flight:
            numbers = ", ".join(f"#{each.number}" for each in going)
            text = f"#{post.number} beside {numbers}, at most {scenario.limits.in_flight}"
            yield Violation("in flight", post.departed, None, text)


def _under_way(post: Request, other: Request, scenario: Scenario, ended_at: float) -> bool:
    """Whether what `post` began is under way when `other` leaves, and nothing can have made the
    watchdog think that it ended."""
    if post.arrived is None or not post.executed or post.settles_at is None:
        return False
    if post.settles_at <= other.departed or post.model_id == other.model_id:
        return False
    if for_limits(post, other) >= scenario.rules(post.model_id).stuck_after - ROUNDING:
        return False
    return ended_at > other.departed


def _ends(sent: Sequence[Request], log: Log) -> dict[int, float]:
    """By the number of each POST, when the watchdog may first have thought that what it began
    ended: a person did something, or a look found it failing or gone."""
    moments: dict[str, list[float]] = defaultdict(list)
    for one in log.happened:
        moments[one.who].append(one.at)
    for look in log.requests:
        if look.operation == "look" and (look.code == 404 or look.served in FAILING):
            moments[look.model_id].append(-1 if look.delivered is None else look.delivered)
    return {
        post.number: min(
            (at for at in moments[post.model_id] if at >= post.departed), default=NEVER
        )
        for post in sent
    }
