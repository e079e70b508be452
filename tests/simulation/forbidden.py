"""Checks the answers that are not charged: a 403 to the retry alone, and a 429.

A model whose retry was forbidden twice in a row, while the key could list the models, is not
retried until an operator acts on it. If that is so for three models, with no other answer to any
retry in between, the key may not retry at all: one POST an hour finds out whether it may again. And
the more such answers a model has had in a row, the longer its next POST waits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.simulation.log import Log, Request
from tests.simulation.scenario import FAILING, Rules, Scenario
from tests.simulation.verdict import (
    ROUNDING,
    Ages,
    Violation,
    clocks_apart,
    gate_wait,
    of_model,
    posts,
    useful,
)

HOUR = 3600.0

_IN_A_ROW = 2
_MODELS = 3

_RECORDED_WITHIN = 10.0
"""Seconds after an answer by which a process that is alive has recorded it."""

_TTL = 31.0
"""Seconds for which an attempt that was reserved before an answer was known may still be sent."""


def check_forbidden(scenario: Scenario, log: Log) -> Iterator[Violation]:
    if any(fault.kind == "ledger_locked" for fault in scenario.faults):
        return  # The answers may not have been recorded.
    known = _Known(scenario, log)
    for model in scenario.models:
        follower = _Follower(model.id, model.rules, known)
        for request in of_model(log.requests, model.id):
            yield from follower.request(request)
    yield from _probes(posts(log), known)


class _Known:
    """What every process certainly knows about the answers."""

    def __init__(self, scenario: Scenario, log: Log) -> None:
        self._ends = {one.who: one.at for one in log.happened if one.kind in ("kill", "stop")}
        self._acts = [(one.at, one.who) for one in log.happened if one.kind == "act"]
        self._lists = [r for r in log.requests if r.operation == "list"]
        self.ages = Ages(log)
        self.slack = gate_wait(scenario)

    def uncharged(self, post: Request) -> bool:
        """Whether its answer is not charged, and was certainly recorded."""
        return post.code in (403, 429) and self._recorded(post)

    def forbidden(self, post: Request) -> bool:
        """Whether it was answered 403 while the key could list the models."""
        if post.code != 403 or not self._recorded(post) or post.delivered is None:
            return False
        asked = [each for each in self._lists if each.client == post.client]
        return any(
            each.code == 200 and each.delivered is not None and each.fault is None
            for each in asked
            if post.delivered <= each.departed <= post.delivered + _RECORDED_WITHIN
        )

    def acted(self, model_id: str, since: float, until: float) -> bool:
        return any(who == model_id and since <= at <= until for at, who in self._acts)

    def _recorded(self, post: Request) -> bool:
        end = self._ends.get(post.client, float("inf"))
        # If the process ended shortly after the answer, gracefully or not, the answer may not have
        # been recorded.
        return post.delivered is not None and end > post.delivered + _RECORDED_WITHIN


@dataclass
class _Follower:
    """The answers about one model. `row` are the uncharged answers since the last other one, `noes`
    those of them that say that the key may not retry the model."""

    model_id: str
    rules: Rules
    known: _Known
    row: list[Request] = field(default_factory=list)
    noes: list[Request] = field(default_factory=list)
    ref: str | None = None

    def request(self, request: Request) -> Iterator[Violation]:
        since = self.row[0].departed - _TTL if self.row else request.departed
        if self.known.acted(self.model_id, since, request.departed):
            self._forget()
        if request.operation == "look":
            self._look(request)
        elif request.operation == "retry":
            yield from self._post(request)

    def _look(self, look: Request) -> None:
        if not useful(look):
            return
        if look.served not in FAILING or self.ref not in (None, look.ref):
            self._forget()
        self.ref = look.ref

    def _post(self, post: Request) -> Iterator[Violation]:
        yield from self._too_soon(post)
        if len(self.noes) >= _IN_A_ROW and clocks_apart(self.noes[-1], post) < HOUR:
            numbers = ", ".join(f"#{each.number}" for each in self.noes)
            yield _violation("forbidden", post, f"a 403 was the answer to {numbers}")
        if not self.known.uncharged(post):
            self._forget()
            return
        self.row.append(post)
        if self.known.forbidden(post):
            self.noes.append(post)
        else:
            self.noes.clear()

    def _too_soon(self, post: Request) -> Iterator[Violation]:
        """The first wait is the hold or the backoff; from the second one on the waits grow."""
        if len(self.row) < 2:
            return
        least = _growing(self.rules, len(self.row) - 1) - self.known.slack
        waited = self.known.ages.for_delays(self.row[-1], post)
        if waited < least - ROUNDING:
            numbers = ", ".join(f"#{each.number}" for each in self.row)
            text = f"{waited:.1f} s after {numbers}, all uncharged: at least {least:.1f}"
            yield _violation("growing backoff", post, text)

    def _forget(self) -> None:
        self.row.clear()
        self.noes.clear()


def _growing(rules: Rules, times: int) -> float:
    wait = rules.backoff
    for _ in range(times - 1):
        wait *= rules.backoff_factor
    return min(wait, rules.backoff_max)


def _probes(sent: Sequence[Request], known: _Known) -> Iterator[Violation]:
    """At most one POST an hour after three models were given up with no other answer in between."""
    for index, post in enumerate(sent):
        before = _since_another_answer(sent[:index], known)
        moments = sorted(_given_up(before, post, known))
        if len(moments) < _MODELS:
            continue
        bound = [each for each in before if each.departed > moments[_MODELS - 1] + _TTL]
        if bound and clocks_apart(bound[-1], post) < HOUR - known.slack:
            text = f"the key may not retry at all, and #{bound[-1].number} asked less than 1 h ago"
            yield _violation("forbidden fleet", post, text)


def _given_up(before: Sequence[Request], post: Request, known: _Known) -> Iterator[float]:
    """The moments at which the models that are still forbidden were given up."""
    for model_id in {each.model_id for each in before}:
        noes = of_model(before, model_id)
        since = noes[0].departed - _TTL
        if len(noes) >= _IN_A_ROW and not known.acted(model_id, since, post.departed):
            yield noes[_IN_A_ROW - 1].delivered or 0.0


def _since_another_answer(sent: Sequence[Request], known: _Known) -> Sequence[Request]:
    others = [index for index, post in enumerate(sent) if not known.forbidden(post)]
    return sent[others[-1] + 1 :] if others else sent


def _violation(rule: str, post: Request, text: str) -> Violation:
    return Violation(rule, post.departed, post.model_id, f"#{post.number}: {text}")
