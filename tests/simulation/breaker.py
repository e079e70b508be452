"""Checks the breaker by the API's log alone.

Of what the judging process was shown, this counts only what is certain: a model that was seen
`ACTIVE` and then failing began to fail; every other model counts as not failing. While the certain
failures alone are too many, the breaker is open, and nothing may be sent until a `cooldown` after
that. After that the breaker may close only when a model that failed was seen healthy, or when no
target can be a canary. While neither can have happened, POSTs are at least a `cooldown` apart.

The judge is a daemon that retries or, if there is none, a command with every model. It is not known
what the looks of other processes changed in the record, and a clock that steps makes every time
span uncertain: scenarios with these are not checked.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.simulation.accounting import attempt_of
from tests.simulation.log import Log, Request
from tests.simulation.scenario import FAILING, BreakerPlan, Scenario
from tests.simulation.verdict import Violation, of_model, posts, surely_charged, useful

_RECORDED_WITHIN = 10.0
"""Seconds after an answer by which a process that is alive has recorded it."""


def check_breaker(
    scenario: Scenario, log: Log, attempts: Sequence[dict[str, Any]]
) -> Iterator[Violation]:
    plan, count = scenario.breaker, len(scenario.models)
    if plan.min_failures > count or _uncertain(scenario, log):
        return
    seen = _Seen(scenario, log)
    reserved = [(log.begun[row["id"]], post) for post, row in _with_attempts(log, attempts)]
    opened: float | None = None
    began = sorted(seen.began)
    for index, (at, _) in enumerate(began):
        if opened is not None and not seen.may_have_closed(opened, at):
            continue
        recent = _recent([moment for moment, _ in began[: index + 1]], at, plan)
        if not _too_many(len(recent), count, plan):
            continue
        opened = at + _RECORDED_WITHIN
        quiet = _holds_until([moment for moment, _ in began], at, count, plan) + plan.cooldown
        yield from _while_open(opened, quiet, reserved, seen, plan)


def _uncertain(scenario: Scenario, log: Log) -> bool:
    locked = any(fault.kind == "ledger_locked" for fault in scenario.faults)
    observes = any(life.observe for life in scenario.lives)
    return locked or observes or any(one.kind in ("step", "suspend") for one in log.happened)


def _with_attempts(
    log: Log, attempts: Sequence[dict[str, Any]]
) -> Iterator[tuple[Request, dict[str, Any]]]:
    for post in posts(log):
        row = attempt_of(post, attempts, log)
        if row is not None:
            yield post, row


def _recent(moments: Sequence[float], now: float, plan: BreakerPlan) -> list[float]:
    return [at for at in moments if now - plan.window + _RECORDED_WITHIN < at <= now]


def _too_many(failures: int, count: int, plan: BreakerPlan) -> bool:
    """Whether the failures are too many even if all other models count as not failing."""
    if failures < plan.min_failures:
        return False
    return failures > plan.ratio * count or failures >= plan.max_failures


def _holds_until(moments: Sequence[float], opened: float, count: int, plan: BreakerPlan) -> float:
    """Until when the condition certainly holds without interruption."""
    until = opened
    while True:
        recent = sorted(_recent([at for at in moments if at <= until], until, plan), reverse=True)
        enough = next((n for n in range(1, len(recent) + 1) if _too_many(n, count, plan)), None)
        longer = until if enough is None else recent[enough - 1] + plan.window - _RECORDED_WITHIN
        if longer <= until:
            return until
        until = longer


def _while_open(
    opened: float,
    quiet: float,
    reserved: Sequence[tuple[float, Request]],
    seen: "_Seen",
    plan: BreakerPlan,
) -> Iterator[Violation]:
    """Checks the POSTs that were reserved after the breaker had certainly opened."""
    last: Request | None = None
    for at, post in reserved:
        if at <= opened:
            continue
        if at < quiet - _RECORDED_WITHIN:
            text = f"the breaker is open since {opened:.0f} and has no canary until {quiet:.0f}"
            yield _violation(post, text)
        elif seen.may_have_closed(opened, at):
            return
        elif last is not None and at < last.departed + plan.cooldown - _RECORDED_WITHIN:
            text = f"the breaker is open since {opened:.0f}, and #{last.number} was a canary"
            yield _violation(post, text)
        last = post


class _Seen:
    """What the judge was shown. `began` are the moments at which models certainly began to fail."""

    def __init__(self, scenario: Scenario, log: Log) -> None:
        self._scenario = scenario
        self._ends = {one.who: one.at for one in log.happened if one.kind in ("kill", "stop")}
        self._killed = {one.who for one in log.happened if one.kind == "kill"}
        self._judges = _judges(scenario, log)
        self._looks = {
            model.id: [r for r in of_model(log.requests, model.id) if r.operation == "look"]
            for model in scenario.models
        }
        self._posts: Mapping[str, Sequence[Request]] = {
            model.id: of_model(posts(log), model.id) for model in scenario.models
        }
        self.began = [each for model in scenario.models for each in self._began(model.id)]

    def may_have_closed(self, opened: float, by: float) -> bool:
        """Whether a model that failed was seen not failing, or it is possible that no model was
        waiting."""
        waits = False
        for model_id, looks in self._looks.items():
            shown = [look for look in looks if look.delivered is not None and look.delivered < by]
            served = [look.served for look in shown if useful(look)]
            later = [look for look in shown if (look.delivered or 0) > opened]
            failed = any(status in FAILING for status in served)
            if failed and any(useful(look) and look.served not in FAILING for look in later):
                return True
            waits = waits or (failed and self._surely_waits(model_id, later, by))
        return not waits

    def _surely_waits(self, model_id: str, shown: Sequence[Request], by: float) -> bool:
        """Whether the model certainly waits: all looks since then showed its status, and it has a
        budget left even if every POST was charged."""
        rules = self._scenario.rules(model_id)
        sent = [post for post in self._posts[model_id] if post.departed < by]
        return (
            not rules.ignores_standing
            and all(useful(look) for look in shown)
            and all(surely_charged(post) for post in sent)
            and len(sent) < min(rules.max_attempts, rules.max_attempts_per_window)
            and self._scenario.model(model_id).refuses is None
        )

    def _began(self, model_id: str) -> Iterator[tuple[float, str]]:
        before: Request | None = None
        for look in self._looks[model_id]:
            if not useful(look):
                continue
            known = look.client in self._judges and self._recorded(look)
            if known and look.served in FAILING and before is not None:
                yield look.delivered or 0.0, model_id
            before = look if known and look.served == "ACTIVE" else None

    def _recorded(self, look: Request) -> bool:
        end = self._ends.get(look.client, float("inf"))
        if look.client in self._killed:
            end -= _RECORDED_WITHIN
        return look.delivered is not None and look.delivered < end


def _judges(scenario: Scenario, log: Log) -> set[str]:
    """The processes whose looks count: the daemons or, if there is none, the commands that have
    every model."""
    role = "daemon" if scenario.cron is None else "command"
    return {
        one.who
        for one in log.happened
        if one.kind == "start" and one.who.startswith(role) and one.detail == "retry"
    }


def _violation(post: Request, text: str) -> Violation:
    return Violation("breaker", post.departed, post.model_id, f"#{post.number}: {text}")
