"""The limits within an episode, from what the API told the watchdog.

When an episode ends depends on what was seen and recorded, which a crash may cut short. So this
follows what it was told, takes every end that it may have seen for one, and counts only what then
surely belongs together: whatever it reports is wrong for certain.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.simulation.log import Log, Request
from tests.simulation.scenario import FAILING, HEALTHY, STOPPED, Rules, Scenario
from tests.simulation.verdict import (
    ROUNDING,
    Ages,
    Violation,
    gate_wait,
    heard_at,
    of_model,
    refused,
    surely_charged,
    useful,
)


def check_episodes(scenario: Scenario, log: Log) -> Iterator[Violation]:
    kills = [one.at for one in log.happened if one.kind in ("kill", "stop")]
    for model in scenario.models:
        follower = _Follower(scenario, model.rules, kills, Ages(log))
        events = [(r.departed, 1, r) for r in of_model(log.requests, model.id) if _is_post(r)]
        events += [
            (look.delivered, 0, look)
            for look in of_model(log.requests, model.id)
            if look.operation == "look" and look.delivered is not None
        ]
        for _, _, request in sorted(events, key=lambda event: event[:2]):
            if _is_post(request):
                yield from follower.post(request)
            else:
                follower.look(request)


def _is_post(request: Request) -> bool:
    return request.operation == "retry"


@dataclass
class _Follower:
    """What is surely so of one target's episode. `ours`: what is seen may be our last POST's doing;
    `missing` are the 404s in a row; `run` the failing looks since any other."""

    scenario: Scenario
    rules: Rules
    kills: list[float]
    ages: Ages
    sent: list[Request] = field(default_factory=list)
    earlier: bool = False
    ours: Request | None = None
    ref: str | None = None
    healthy_since: Request | None = None
    missing: list[Request] = field(default_factory=list)
    run: list[Request] = field(default_factory=list)

    def look(self, look: Request) -> None:
        if look.code == 404:
            self.missing.append(look)
            if len(self.missing) > 1:
                self.ours = None
            return
        if not useful(look):
            return
        if len(self.missing) > 1 and self._at_most(self.missing[0], look):
            self._may_end()
        self.missing.clear()
        if self.ref not in (None, look.ref) and not self._under_way(look):
            self._may_end()
        self.ref = look.ref
        if look.served in FAILING:
            self.healthy_since = None
            self.run.append(look)
            self.ours = None
            return
        self.run.clear()
        recovered = self.healthy_since is not None and look.served in HEALTHY
        if look.served in STOPPED or (self.ours is None and not recovered):
            self._may_end()
        if look.served in HEALTHY:
            self.ours = None
            self.healthy_since = self.healthy_since or look
            if self._at_most(self.healthy_since, look):
                self._may_end()

    def post(self, post: Request) -> Iterator[Violation]:
        yield from self._too_early(post)
        charged = [each for each in self.sent if surely_charged(each)]
        if len(charged) > 1 and self._refused_twice(charged[-2], charged[-1], post):
            yield self._violation("refused twice", post, "two were refused in a row")
        self.sent.append(post)
        if surely_charged(post):
            charged.append(post)
        if len(charged) > self.rules.max_attempts:
            numbers = ", ".join(f"#{each.number}" for each in charged)
            text = f"at most {self.rules.max_attempts} in an episode: {numbers}"
            yield self._violation("episode", post, text)
        heard_no = refused(post) or not surely_charged(post)
        self.ours = None if heard_no else post

    def _refused_twice(self, first: Request, second: Request, now: Request) -> bool:
        """And no process ended meanwhile, with an answer unrecorded or an attempt unsent."""
        ended = any(first.departed <= at <= now.departed for at in self.kills)
        return refused(first) and refused(second) and not ended

    @property
    def _slop(self) -> float:
        """An answer is heard a moment before its time is read."""
        return 2 * self.scenario.latency + 1

    def _at_most(self, earlier: Request, later: Request) -> bool:
        """Whether the watchdog may take the time between for a `healthy_reset`. In each restart
        the clock may have been stepped, and as much as two intervals are believed."""
        steps = self.ages.starts(earlier.departed, later.departed)
        lasted = (later.departed - earlier.departed) * 1.01 + self._slop
        lasted += steps * 2.2 * self.scenario.effective_interval
        lasted = max(lasted, self.ages.for_delays(earlier, later) + self._slop)
        return lasted >= self.rules.healthy_reset

    def _under_way(self, look: Request) -> bool:
        """A change seen now is that of our own POST, for certain."""
        if self.ours is None:
            return False
        lasted = (look.departed - self.ours.departed) * 1.01 + self._slop
        lasted = max(lasted, self.ages.for_delays(self.ours, look) + self._slop)
        return lasted < self.rules.stuck_after

    def _may_end(self) -> None:
        self.earlier = self.earlier or bool(self.sent)
        self.sent.clear()

    def _too_early(self, post: Request) -> Iterator[Violation]:
        """Before the first delay, or the backoff after the last one."""
        paced = [each for each in self.sent if not _throttled(each)]
        unsure = self.earlier or any(at <= post.departed for at in self.kills)
        rules, run = self.rules, self.run
        if paced:
            least = _backoff(rules, sum(map(surely_charged, self.sent)))
            what, run = f"backoff after #{paced[-1].number}", self._failed_again(paced[-1], post)
        else:
            least, what = rules.first_delay, "first delay"
            if unsure:
                least = min(least, rules.backoff)
        waited = max((self.ages.for_delays(each, post) for each in run), default=-1.0)
        if waited < least - ROUNDING:
            text = f"{what}: {waited:.3f} s after it failed, at least {least:g}"
            yield self._violation("delay", post, text)

    def _failed_again(self, last: Request, post: Request) -> list[Request]:
        """Of these one may have been taken for the re-failure after `last`."""
        if refused(last) or last.fault == "refuse" or not surely_charged(last):
            return [last]
        if not self.run or self.run[0].departed > last.departed:
            return self.run
        after = [each for each in self.run if (each.delivered or 0) > last.departed]
        if self.ages.starts(last.departed, post.departed):
            return after
        lag = self.scenario.timeout + self.scenario.recovery_interval - gate_wait(self.scenario)
        return [each for each in after if heard_at(each) + self._slop > last.clock + lag]

    @staticmethod
    def _violation(rule: str, post: Request, text: str) -> Violation:
        return Violation(rule, post.departed, post.model_id, f"#{post.number}: {text}")


def _throttled(post: Request) -> bool:
    return post.code == 429 and post.delivered is not None


def _backoff(rules: Rules, charged: int) -> float:
    wait = rules.backoff
    for _ in range(charged - 1):
        wait = min(wait * rules.backoff_factor, max(rules.backoff_max, wait))
    return min(wait, rules.backoff_max)
