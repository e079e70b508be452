"""Whether everything in the ledger's outbox arrived: each retry whose answer was recorded, and the
last state of each model.

What a model's receiver heard is compared with its last state, because a notice is left out when the
model recovers before it is sent. An older ledger in place of the present one may lack notices that
were to be sent, or the record that some were sent. Any message may arrive twice: after a kill, or
after the ledger was lost.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tests.chaos.fleet import VISITORS
from tests.chaos.ledger import Outbox, true_time
from tests.chaos.put_backs import PutBack
from tests.fakes.http_server import Reply, Request, ScriptedServer
from tests.simulation.verdict import Violation

_REFUSED = 3
"""The receiver refuses each message whose number is a multiple of this."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A notice that arrived `arrived` seconds after the start. `at` is its own time, and `open`
    whether it says that an operator is needed. `retries` are the times of those that it names."""

    arrived: float
    subject: str
    event: str
    at: float
    open: bool = False
    retries: tuple[str, ...] = ()


@dataclass
class Listening:
    """A webhook that takes most messages. `heard` is what it took, of a run that began `began_at`,
    in seconds since the epoch."""

    clock: Callable[[], float]
    began_at: float
    heard: list[Heard] = field(default_factory=list)
    messages: int = 0

    def serve(self) -> ScriptedServer:
        return ScriptedServer(self._answer)

    async def _answer(self, request: Request) -> Reply:
        self.messages += 1
        if self.messages % _REFUSED == 0:
            return Reply(503)
        now = self.clock()
        self.heard += [
            Heard(
                now,
                notice["about"],
                notice["event"],
                true_time(datetime.fromisoformat(notice["at"]).timestamp() - self.began_at),
                notice["needs_operator"],
                tuple(each["at"] for each in notice["retries"]),
            )
            for notice in json.loads(request.body)["notices"]
        ]
        return Reply()


def twice(heard: Sequence[Heard]) -> int:
    """How many notices arrived once more."""
    counts = Counter((one.subject, one.event, one.at) for one in heard)
    return sum(count - 1 for count in counts.values())


def not_heard(
    heard: Sequence[Heard], outbox: Outbox, put_backs: Sequence[PutBack], ended_at: float
) -> Iterator[Violation]:
    """Visitors leave the configuration, and are forgotten then."""
    for model_id, sent_at in _unsaid_retries(heard, outbox, put_backs):
        yield Violation("notified", ended_at, model_id, f"nobody heard of its retry of {sent_at}")
    last = _last(heard)
    for model_id in sorted((outbox.gave_up | outbox.healthy) - outbox.waiting - set(VISITORS)):
        known = last.get(model_id)
        if known is not None and any(
            known.arrived <= each.until and model_id in each.unsaid for each in put_backs
        ):
            continue
        is_open = known is not None and known.open
        if model_id in outbox.gave_up and not is_open:
            yield Violation("notified", ended_at, model_id, "nobody heard that it was given up")
        if model_id in outbox.healthy and is_open:
            yield Violation("notified", ended_at, model_id, "nobody heard that it recovered")


def _unsaid_retries(
    heard: Sequence[Heard], outbox: Outbox, put_backs: Sequence[PutBack]
) -> Iterator[tuple[str, str]]:
    """The model, and when it was sent. The notice of a retry may be gone with an older ledger, and
    names no retry if the failure had ended."""
    said = [one for one in heard if one.event == "retried"]
    named = {(one.subject, at) for one in said for at in one.retries}
    excused = {one.subject for one in said if not one.retries} | outbox.waiting | set(VISITORS)
    lost = {row.id for each in put_backs for row in each.lost}
    for attempt_id, (model_id, sent_at) in outbox.answered.items():
        known = (model_id, sent_at) in named
        gone = attempt_id in lost or any(
            model_id in each.unsaid and _was_there(attempt_id, each) for each in put_backs
        )
        if not (known or gone or model_id in excused):
            yield model_id, sent_at


def _was_there(attempt_id: str, put_back: PutBack) -> bool:
    return any(row.id == attempt_id for row in put_back.before)


def _last(heard: Sequence[Heard]) -> Mapping[str, Heard]:
    """Of each model what was said last. A message of a process that was stopped may arrive later
    than what another one said since."""
    about = [one for one in heard if one.open or one.event == "recovered"]
    return {one.subject: one for one in sorted(about, key=lambda one: one.at)}
