"""Checks the limits within an episode: how many POSTs one failure may cost, and how far apart they
are.

The scenario knows what ends an episode: an operator's act on the model, or health for
`healthy_reset`. Without either it is one failure, whatever the answers seem to show. This must not
simply follow the answers and take every change in them for an end. A status that lags behind our
own POST would then excuse the next POSTs, in the same way as it misleads the watchdog, and the
checker could not find the mistake.

A change in the answers without an act may end an episode if the watchdog cannot know better. That
is so if the episode has no POST that is younger than `stuck_after` and without an observed end (a
failing look after one that showed another status), or if each such POST was already taken to be the
cause of another change of identity. It is also so if the answers went back in time, or if the
answer to a POST named a deployment that never existed. A crash may have prevented a record, so only
what is certainly wrong is reported.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.simulation.log import Happened, Log, Request
from tests.simulation.scenario import FAILING, HEALTHY, STOPPED, Rules, Scenario
from tests.simulation.verdict import (
    ROUNDING,
    Ages,
    Violation,
    gate_wait,
    heard_at,
    of_model,
    refused,
    reserved_before,
    surely_charged,
    useful,
)

_ACTED_AGO = 60.0
"""Seconds after an act by which every answer that was under way then has arrived."""


def check_episodes(scenario: Scenario, log: Log) -> Iterator[Violation]:
    kills = [one.at for one in log.happened if one.kind in ("kill", "stop")]
    for model in scenario.models:
        follower = _Follower(scenario, model.rules, kills, Ages(log))
        own = of_model(log.requests, model.id)
        events: list[tuple[float, int, Request | None]] = [
            (request.departed, 1, request) for request in own if _is_post(request)
        ]
        events += [
            (look.delivered, 0, look)
            for look in own
            if look.operation == "look" and look.delivered is not None
        ]
        events += [(one.at, -1, None) for one in log.happened if _is_act(one, model.id)]
        events += [(one.at, -2, None) for one in log.happened if one.kind == "put back"]
        for at, order, request in sorted(events, key=lambda event: event[:2]):
            if order == -2:
                follower.put_back()
            elif request is None:
                follower.act(at)
            elif _is_post(request):
                yield from follower.post(request)
            else:
                follower.look(request)


def _is_post(request: Request) -> bool:
    return request.operation == "retry"


def _is_act(one: Happened, model_id: str) -> bool:
    return one.kind == "act" and one.who == model_id


@dataclass
class _Follower:
    """What is certain about one target's episode.

    `open` are the POSTs without an observed end; `moved` says that another status was seen since
    the last one. `acted` is when an operator last did something that perhaps not every process has
    seen yet, `shown` the first look that showed it. `run` are the failing looks since the last look
    that was not failing, `failing` is the first failing look of the run. `gone` are the identities
    that were shown before the present one; `went_back` says that one of them was shown again.
    `adopted` are the numbers of the POSTs that were taken to be the cause of a change of identity.
    """

    scenario: Scenario
    rules: Rules
    kills: list[float]
    ages: Ages
    sent: list[Request] = field(default_factory=list)
    earlier: bool = False
    open: list[Request] = field(default_factory=list)
    moved: bool = False
    acted: float | None = None
    shown: Request | None = None
    ref: str | None = None
    gone: set[str | None] = field(default_factory=set)
    went_back: bool = False
    adopted: set[int] = field(default_factory=set)
    healthy_since: Request | None = None
    run: list[Request] = field(default_factory=list)
    failing: Request | None = None

    def act(self, at: float) -> None:
        self._may_end()
        self.acted, self.shown = at, None

    def put_back(self) -> None:
        """An older ledger was put in place: it may know neither the episode, nor that another
        status was seen since."""
        self._may_end()
        if self.failing is not None:
            self.run.insert(0, self.failing)

    def look(self, look: Request) -> None:
        if not useful(look):
            return
        if self.acted is not None:
            self._may_end()
            self._note_shown(look, self.acted)
        self.went_back = self.went_back or look.ref in self.gone
        if self.ref not in (None, look.ref):
            self.gone.add(self.ref)
            if not self._adopt(look):
                self._may_end()
        self.ref = look.ref
        if look.served in FAILING:
            self.healthy_since = None
            self.failing = self.failing or look
            self.run.append(look)
            if self.moved and self.open:
                self.open.pop()
            self.moved = False
            return
        self.run.clear()
        recovered = self.healthy_since is not None and look.served in HEALTHY
        if look.served in STOPPED or not (self._ours(look) or recovered):
            self._may_end()
        self.moved = True
        if look.served in HEALTHY:
            self.open.clear()
            self.healthy_since = self.healthy_since or look
            if self._at_most(self.healthy_since, look):
                self._may_end()

    def _note_shown(self, look: Request, acted: float) -> None:
        """The act no longer matters after one process has made two looks that showed the truth
        after it: the first was recorded before the second."""
        if look.stale or look.arrived is None or look.arrived <= acted:
            return
        if self.shown is None or self.shown.client != look.client:
            self.shown = look
        elif look.departed > acted + _ACTED_AGO:
            self.acted = None

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
        if not refused(post) and surely_charged(post):
            self.open.append(post)
            self.moved = False

    def _refused_twice(self, first: Request, second: Request, now: Request) -> bool:
        """Whether both were refused, and no process ended in the meantime, which may have left an
        answer unrecorded or an attempt unsent."""
        ended = any(first.departed <= at <= now.departed for at in self.kills)
        return refused(first) and refused(second) and not ended

    @property
    def _slop(self) -> float:
        """Seconds by which times may be wrong: an answer arrives a moment before its time is
        read."""
        return 2 * self.scenario.latency + 1

    def _at_most(self, earlier: Request, later: Request) -> bool:
        """Whether the time between may be a `healthy_reset` for the watchdog. The clock may have
        stepped at each restart, and up to two intervals more are accepted as watched."""
        steps = self.ages.starts(earlier.departed, later.departed)
        lasted = (later.departed - earlier.departed) * 1.01 + self._slop
        lasted += steps * 2.2 * self.scenario.effective_interval
        lasted = max(lasted, self.ages.for_delays(earlier, later) + self._slop)
        return lasted >= self.rules.healthy_reset

    def _ours(self, look: Request) -> bool:
        """Whether a change that is seen now is certainly the effect of our own POST."""
        return bool(self._young(look))

    def _adopt(self, look: Request) -> bool:
        """Take a POST of ours to be the cause of a change of identity. Each causes at most one.
        Returns whether there was one."""
        free = [post for post in self._young(look) if post.number not in self.adopted]
        self.adopted |= {post.number for post in free[-1:]}
        return bool(free)

    def _young(self, look: Request) -> list[Request]:
        if self.went_back or any(post.fault == "other_deployment" for post in self.sent):
            return []
        return [post for post in self.open if self._surely_young(post, look)]

    def _surely_young(self, post: Request, look: Request) -> bool:
        """Whether it was certainly reserved less than `stuck_after` ago by the watchdog's time."""
        lasted = (look.departed - post.departed) * 1.01
        lasted = max(lasted, self.ages.for_delays(post, look))
        return lasted + self._slop + reserved_before(self.scenario) < self.rules.stuck_after

    def _may_end(self) -> None:
        self.earlier = self.earlier or bool(self.sent)
        self.sent.clear()

    def _too_early(self, post: Request) -> Iterator[Violation]:
        """A POST before the first delay was over, or before the backoff after the last POST was
        over."""
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
        """The failing looks, of which one may be the re-failure after `last` for the watchdog."""
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
