"""Since when a model certainly waits only for the fleet's limits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.simulation.log import Log, Request
from tests.simulation.scenario import FAILING, NEVER, Rules, Scenario
from tests.simulation.verdict import of_model, refused, useful

SLACK = 5.0
"""Seconds in which a look is recorded and the decision is carried out."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A time in which a model certainly waits only for the fleet's limits: from `since` to `until`,
    when its POST is sent or another status is seen. `first`: it waits for its first attempt."""

    model_id: str
    since: float
    until: float
    first: bool


def waits(scenario: Scenario, log: Log, model_id: str, ended_at: float) -> Iterator[Wait]:
    own = sorted(of_model(log.requests, model_id), key=moment)
    acts = [one.at for one in log.happened if one.kind == "act" and one.who == model_id]
    follower = _Follower(scenario, scenario.rules(model_id), acts)
    for request in own:
        at = moment(request)
        if at > ended_at:
            break
        ready = follower.ready
        if request.operation == "retry":
            follower.post(request)
        else:
            follower.look(request)
        if ready is not None and follower.ready is None:
            yield Wait(model_id, ready, at, follower.first_before)
    if follower.ready is not None:
        yield Wait(model_id, follower.ready, ended_at, not follower.sent)


def moment(request: Request) -> float:
    return request.departed if request.operation == "retry" else request.delivered or NEVER


class _Follower:
    """`ready`: since when it certainly waits only for the fleet's limits. `failing` is when the
    answer came to the first failing look that certainly counts: after a POST, one that is too late
    to be explained by a lag."""

    def __init__(self, scenario: Scenario, rules: Rules, acts: Sequence[float]) -> None:
        self.scenario = scenario
        self.rules = rules
        self.acts = acts
        self.sent: list[Request] = []
        self.first_before = True
        self.failing: Request | None = None
        self.ready: float | None = None
        self.heard = 0.0

    def post(self, post: Request) -> None:
        self.first_before = not self.sent
        self.sent.append(post)
        self._forget()

    def look(self, look: Request) -> None:
        heard = look.delivered or NEVER
        acted = any(self.heard < at <= heard for at in self.acts)
        late = self.ready is not None and heard - self.heard > self._longest_gap
        self.heard = heard
        self.first_before = not self.sent
        if acted or late or not useful(look) or look.served not in FAILING:
            self._forget()
            return
        if not self._may_be_retried() or not self._counts(heard):
            return
        self.failing = self.failing or look
        if self.ready is None and heard >= (self.failing.delivered or 0) + self._own_delay():
            self.ready = heard + SLACK

    @property
    def _longest_gap(self) -> float:
        return 1.5 * self.scenario.effective_interval + SLACK

    def _forget(self) -> None:
        self.failing = self.ready = None

    def _may_be_retried(self) -> bool:
        """Whether its own limits allow a retry, whichever episodes its attempts belong to."""
        rules = self.rules
        return (
            not rules.ignores_standing
            and len(self.sent) < min(rules.max_attempts, rules.max_attempts_per_window)
            and not any(refused(post) or post.code in (403, 429) for post in self.sent)
        )

    def _counts(self, heard: float) -> bool:
        """Whether a failing look certainly shows that the last attempt failed."""
        lag = self.scenario.timeout + self.scenario.recovery_interval + SLACK
        return not self.sent or heard > self.sent[-1].departed + lag

    def _own_delay(self) -> float:
        if not self.sent:
            return self.rules.first_delay
        return most_backoff(self.rules, len(self.sent)) * (1 + self.rules.jitter)


def most_backoff(rules: Rules, charged: int) -> float:
    wait = rules.backoff * rules.backoff_factor ** (charged - 1)
    return min(wait, rules.backoff_max)
