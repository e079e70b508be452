"""Compares the ledger's attempts with the POSTs that the API saw.

Each POST has exactly one attempt. An `accepted`, `refused` or `throttled` attempt has one POST, an
`unknown` or `failed` one at most one, an `abandoned` or `dry_run` one none. And each outcome agrees
with the answer.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.simulation.log import Log, Request
from tests.simulation.scenario import Scenario
from tests.simulation.verdict import Violation, refused

_RECORDED_WITHIN = 30.0
"""Seconds after an answer by which a process that is alive has certainly recorded it."""


def check_accounting(
    scenario: Scenario, log: Log, attempts: Sequence[dict[str, Any]]
) -> Iterator[Violation]:
    ends = {one.who: one.at for one in log.happened if one.kind in ("kill", "stop")}
    locked = any(fault.kind == "ledger_locked" for fault in scenario.faults)
    sent: dict[str, list[Request]] = {row["id"]: [] for row in attempts}
    for post in (request for request in log.requests if request.operation == "retry"):
        row = attempt_of(post, attempts, log)
        if row is None:
            yield _wrong(post, "it has no attempt")
        else:
            sent[row["id"]].append(post)
            yield from _not_looked_again(post, log.begun[row["id"]], log)
    for row in attempts:
        found = sent[row["id"]]
        if len(found) > 1:
            numbers = ", ".join(f"#{post.number}" for post in found)
            yield _wrong(found[-1], f"attempt {row['id']} ({row['outcome']}) has many: {numbers}")
            continue
        only = found[0] if found else None
        if not _FITS[row["outcome"]](only):
            at = log.begun[row["id"]] if only is None else only.departed
            shown = "no POST" if only is None else only.line()
            text = f"attempt {row['id']} is {row['outcome']}: {shown}"
            yield Violation("accounting", at, row["model_id"], text)
        elif only is not None and row["outcome"] in ("unknown", "pending") and not locked:
            lived_on = ends.get(only.client, log.requests[-1].departed) - (only.delivered or 1e99)
            if lived_on > _RECORDED_WITHIN and _answered(only):
                yield _wrong(only, f"answered, and its attempt is {row['outcome']}")


def attempt_of(
    post: Request, attempts: Sequence[dict[str, Any]], log: Log
) -> dict[str, Any] | None:
    """The last attempt that the POST's sender began for that model before it. The times in the rows
    cannot be used: they change when the clock is set back."""
    own = [
        row
        for row in attempts
        if row["model_id"] == post.model_id
        and row["owner"].partition(":")[2] == post.client
        and log.begun[row["id"]] <= post.departed
    ]
    return max(own, key=lambda row: log.begun[row["id"]], default=None)


def _not_looked_again(post: Request, begun: float, log: Log) -> Iterator[Violation]:
    """There must be a look after the reservation. The one that led to the reservation is not
    enough."""
    again = [
        look
        for look in log.requests[: post.number]
        if look.operation == "look"
        and (look.client, look.model_id) == (post.client, post.model_id)
        and look.departed >= begun
    ]
    if not again:
        text = f"#{post.number}: not looked at after its reservation"
        yield Violation("look again", post.departed, post.model_id, text)


def _accepted(post: Request) -> bool:
    return (
        post.delivered is not None
        and post.code == 200
        and post.retried is True
        and post.fault not in ("truncated", "ill_typed", "retried_yes")
    )


def _throttled(post: Request) -> bool:
    return post.delivered is not None and post.code == 429


def _not_executed(post: Request) -> bool:
    return post.fault == "refuse" or (post.delivered is not None and post.code in (401, 403))


def _answered(post: Request) -> bool:
    return _accepted(post) or refused(post) or _throttled(post) or _not_executed(post)


_FITS: dict[str, Callable[[Request | None], bool]] = {
    "accepted": lambda post: post is not None and _accepted(post),
    "refused": lambda post: post is not None and refused(post),
    "throttled": lambda post: post is not None and _throttled(post),
    "failed": lambda post: post is None or _not_executed(post),
    "unknown": lambda post: True,
    "pending": lambda post: True,
    "abandoned": lambda post: post is None,
    "dry_run": lambda post: post is None,
}


def _wrong(post: Request, text: str) -> Violation:
    return Violation("accounting", post.departed, post.model_id, f"#{post.number}: {text}")
