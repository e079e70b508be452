"""Checks that the ledger records what the API showed of a model: recovered, broken, or stopped by
an operator.

A retry has recovered its model only if the API showed `ACTIVE` after it, or `SCALED_TO_ZERO` for
`settle` without interruption. If a status was shown at the end for long enough to judge it, the
ledger has the right health for it, and has a breakage that has not ended if, and only if, the model
is broken.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from tests.simulation.accounting import attempt_of
from tests.simulation.log import Log, Request
from tests.simulation.result import Result
from tests.simulation.scenario import Scenario
from tests.simulation.verdict import Ages, Violation, of_model, posts, useful

_ON_ITS_WAY = ("BUILDING", "DEPLOYING", "LOADING_MODEL", "UPDATING", "WAKING_UP")

_CERTAIN = {
    "ACTIVE": "healthy",
    "UNHEALTHY": "broken",
    "FAILED": "broken",
    "BUILD_STOPPED": "not_retryable",
}
_BY = {"deactivate": "not_retryable", "platform_deactivates": "broken"}

_JUDGED_WITHIN = 400.0
"""Seconds: five minutes, an interval, and some time to record."""

_LOGGED_IN_TIME = 240.0
"""Seconds after an act by which the audit log must have it, so that the last reading of the log
finds it."""


def check_standing(result: Result) -> Iterator[Violation]:
    yield from _recoveries(result.scenario, result.log, result.attempts)
    if result.scenario.audited:
        for model in result.scenario.models:
            yield from _at_the_end(result, model.id)


def is_judged(result: Result) -> bool:
    """Whether the calm has lasted long enough to judge the status that is shown in it."""
    return result.ended_at > result.scenario.calm_at + _JUDGED_WITHIN + 60


def _recoveries(
    scenario: Scenario, log: Log, attempts: Sequence[dict[str, Any]]
) -> Iterator[Violation]:
    ages = Ages(log)
    for post in posts(log):
        row = attempt_of(post, attempts, log)
        if row is None or row["resolution"] != "recovered":
            continue
        looks = [each for each in _looks(log, post.model_id) if each.departed > post.departed - 60]
        if not any(each.served == "ACTIVE" for each in looks):
            longest = max((_longest(run, ages, scenario) for run in _asleep(looks)), default=0.0)
            if longest < scenario.rules(post.model_id).settle:
                text = f"#{post.number} is said to have recovered it: asleep for {longest:.0f} s"
                yield Violation("recovery", post.departed, post.model_id, text)


def _looks(log: Log, model_id: str) -> list[Request]:
    own = of_model(log.requests, model_id)
    return [each for each in own if each.operation == "look" and useful(each)]


def _asleep(looks: Sequence[Request]) -> Iterator[list[Request]]:
    run: list[Request] = []
    for look in looks:
        if look.served == "SCALED_TO_ZERO":
            run.append(look)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _longest(run: Sequence[Request], ages: Ages, scenario: Scenario) -> float:
    """The longest time between the looks by the watchdog's clock: at a restart up to two intervals
    more are accepted."""
    lasted = (run[-1].departed - run[0].departed) * 1.01 + 2 * scenario.latency + 1
    starts = ages.starts(run[0].departed, run[-1].departed)
    return lasted + starts * 2.2 * scenario.effective_interval


def _at_the_end(result: Result, model_id: str) -> Iterator[Violation]:
    looks = _looks(result.log, model_id)
    if not looks:
        return
    last = looks[-1]
    before = [each for each in looks if each.served != last.served]
    since = next(each.departed for each in looks if not before or each.number > before[-1].number)
    wanted = _health(result, model_id, last, before, since)
    if wanted is None or result.ended_at - since < _JUDGED_WITHIN:
        return
    row = next(row for row in result.targets if row["model_id"] == model_id)
    lasting = [
        each
        for each in result.breakages
        if each["model_id"] == model_id and each["ended_at"] is None
    ]
    if row["health_word"] != wanted or len(lasting) != (wanted == "broken"):
        text = (
            f"{last.served} since {since:.0f} is {row['health_word']} with {len(lasting)} "
            f"breakages that last, and should be {wanted}"
        )
        yield Violation("standing", result.ended_at, model_id, text)


def _health(
    result: Result, model_id: str, last: Request, before: Sequence[Request], since: float
) -> str | None:
    """The health that the ledger must have; None if that is not certain."""
    if last.served != "INACTIVE":
        return _CERTAIN.get(last.served or "")
    acts = [act for act in result.scenario.acts if act.model_id == model_id and act.at < since]
    if acts and acts[-1].what in _BY:
        logged = acts[-1].logged
        in_time = logged is not None and logged < _LOGGED_IN_TIME
        return _BY[acts[-1].what] if in_time else None
    if not before or any(act.what in _BY for act in acts):
        return None
    return "broken" if before[-1].served in _ON_ITS_WAY else None
