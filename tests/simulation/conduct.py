"""Checks the conditions of each POST: a look just before it saw the model failing, no hold was in
force, and the process was not in observe mode."""

from collections.abc import Iterator, Sequence

from tests.simulation.log import Happened, Log, Request
from tests.simulation.scenario import FAILING, NEVER, Scenario
from tests.simulation.verdict import ROUNDING, Violation, gate_wait, heard_at, of_model, useful

_TTL = 30.0
"""How long after its reservation, which comes before the look, a POST may still be sent."""

_HOLD_LEAST, _HOLD_MOST, _AUTH_HOLD = 1.0, 600.0, 60.0


def check_conduct(scenario: Scenario, log: Log) -> Iterator[Violation]:
    observers = {one.who for one in log.happened if _observes(one)}
    for model in scenario.models:
        requests = of_model(log.requests, model.id)
        for index, post in enumerate(requests):
            if post.operation != "retry":
                continue
            if post.client in observers:
                yield _violation("observe mode", post, "a POST while it only observes")
            yield from _looked_before(scenario, requests[:index], post)
        if model.rules.ignores_standing:
            yield from _standing(requests, _first_act(log, model.id))
    for client in {request.client: None for request in log.requests}:
        own = [request for request in log.requests if request.client == client]
        yield from _holds(own, scenario.reaction)
        yield from _key_refused(own)


def _observes(one: Happened) -> bool:
    return one.kind == "start" and one.detail.startswith("observe")


def _looked_before(
    scenario: Scenario, before: Sequence[Request], post: Request
) -> Iterator[Violation]:
    own = [request for request in before if request.client == post.client]
    look = own[-1] if own else None
    if look is None or look.operation != "look":
        yield _violation("look again", post, "no look just before it")
        return
    if not useful(look) or look.served not in FAILING:
        yield _violation("look again", post, f"the look before it, #{look.number}, was no reason")
        return
    age = post.clock - look.clock
    if age > _TTL + gate_wait(scenario):
        yield _violation("look again", post, f"the look before it was {age:.1f} s old")
    if post.before in FAILING or post.arrived is None:
        return
    if post.stopped:
        return  # Its sender was stopped, so it could not know of a change.
    if not look.stale:
        between = [p for p in before if _began_between(p, look, post)]
        if between:
            text = f"it was {post.before}: #{between[-1].number} was under way"
            yield _violation("not failing", post, text)
        return  # The status changed after the look: no client can prevent that.
    ours = [p for p in before if p.executed and (p.arrived or 0) <= (look.arrived or 0)]
    if ours and heard_at(look) <= ours[-1].clock + _lag(scenario):
        text = f"it was {post.before}, and #{ours[-1].number} too recent to believe #{look.number}"
        yield _violation("not failing", post, text)


def _began_between(other: Request, look: Request, post: Request) -> bool:
    """Whether another POST was executed between the look and this POST, and its sender was alive to
    get the answer."""
    if not other.executed or other.arrived is None or look.arrived is None:
        return False
    return look.arrived < other.arrived <= (post.arrived or 0) and other.delivered is not None


def _lag(scenario: Scenario) -> float:
    """Seconds after a POST in which a look may not show the POST's effect yet, because statuses
    lag."""
    return scenario.timeout + scenario.recovery_interval - gate_wait(scenario)


def _first_act(log: Log, model_id: str) -> float:
    acts = (one.at for one in log.happened if one.kind == "act" and one.who == model_id)
    return min(acts, default=NEVER)


def _standing(requests: Sequence[Request], acted: float) -> Iterator[Violation]:
    """A model that was failing when it was first seen is not retried until it changes: until an
    operator acts on it, or a look shows another status or deployment. A 404 alone changes
    nothing."""
    first: Request | None = None
    for request in requests:
        if request.departed >= acted:
            return
        if request.operation == "retry":
            if first is not None and first.served in FAILING:
                yield _violation("standing failure", request, "it was failing when first seen")
            return
        if not useful(request):
            continue
        first = first or request
        if request.served not in FAILING or request.ref != first.ref:
            return


def _holds(own: Sequence[Request], reaction: float) -> Iterator[Violation]:
    for throttled in own:
        if throttled.code != 429 or throttled.delivered is None:
            continue
        asked = throttled.retry_after
        numeric = isinstance(asked, (int, float)) and asked >= 0
        span = min(max(float(asked), _HOLD_LEAST), _HOLD_MOST) if numeric else _HOLD_LEAST  # type: ignore[arg-type]
        if not numeric and any(_of_one_burst(other, throttled) for other in own):
            continue
        until = heard_at(throttled) + span - ROUNDING
        for later in own:
            if (
                later.operation == throttled.operation
                and later.departed > throttled.delivered + reaction
                and later.clock < until
            ):
                text = f"within {span:g} s of the 429 to #{throttled.number}"
                yield _violation("hold", later, text)


def _of_one_burst(other: Request, throttled: Request) -> bool:
    """Whether a hold began because of another 429 while this request was under way. If this
    request's 429 gives no time, it does not extend that hold."""
    return (
        other.code == 429
        and other.operation == throttled.operation
        and other.delivered is not None
        and throttled.departed <= other.delivered < (throttled.delivered or 0)
    )


def _key_refused(own: Sequence[Request]) -> Iterator[Violation]:
    """After a 401 nothing is sent for a minute, unless another answer shows that the key is
    accepted."""
    for denied in own:
        if denied.code != 401 or denied.delivered is None or denied.operation == "list":
            continue
        good = [r.delivered for r in own if r.code in (200, 404) and r.delivered is not None]
        cleared = min((at for at in good if at > denied.delivered), default=float("inf"))
        until = heard_at(denied) + _AUTH_HOLD - ROUNDING
        for later in own:
            if (
                denied.delivered < later.departed < cleared
                and later.clock < until
                and later.operation != "list"
            ):
                yield _violation("key refused", later, f"after the 401 to #{denied.number}")


def _violation(rule: str, request: Request, text: str) -> Violation:
    return Violation(rule, request.departed, request.model_id, f"#{request.number}: {text}")
