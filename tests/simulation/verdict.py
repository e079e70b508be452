"""The checker's result, and what all its rules share."""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.simulation.log import Log, Request
from tests.simulation.scenario import Scenario

DAY, MINUTE = 86_400.0, 60.0

_UNSURE_BEFORE, _UNSURE_AFTER = 15.0, 5.0
"""Seconds before and after a request within which the ledger's clock may have been read for it: a
process that cannot read it continues from the last reading, and an answer takes some time."""

ROUNDING = 0.01
"""Seconds. Ledger time is in whole microseconds, and a clock that is read often rounds often."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise, `at` a moment of true time."""

    rule: str
    at: float
    model_id: str | None
    text: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.model_id or 'fleet'} at {self.at:.3f}: {self.text}"


class Ages:
    """How old requests are in the watchdog's time.

    The time of a request is that of its process's clock. If the clock was set back while no daemon
    ran, a request in the future counts as of the start of the next process; if the clock of a
    shared ledger was set back, as of that jump. Near a jump it is not known by which clock a time
    was read: then the greatest possible age is used.
    """

    def __init__(self, log: Log) -> None:
        self._starts: list[tuple[float, float]] = []
        self._noted: list[tuple[float, float]] = []
        self._jumps: list[tuple[float, float]] = []
        daemon = None
        for one in log.happened:
            if one.kind in ("kill", "stop") and one.who == daemon:
                daemon = None
            elif one.kind == "start" and one.who.startswith("daemon"):
                daemon = one.who
                self._starts.append((one.at, one.at + one.wall))
                self._noted.append((one.at, one.at + one.wall))
            elif one.kind == "start" and daemon is None:
                self._noted.append((one.at, one.at + one.wall))
            elif one.kind == "jump":
                self._jumps.append((one.at, one.wall))
                self._starts.append((one.at, one.at + one.wall))
                self._noted.append((one.at, one.at + one.wall))

    def for_delays(self, earlier: Request, later: Request) -> float:
        """How long after the earlier request the later one was sent, in seconds."""
        starts = [time for at, time in self._starts if earlier.departed < at <= later.departed]
        return self._latest(later) - min([self._earliest(earlier), *starts])

    def starts(self, since: float, until: float) -> int:
        """How many daemons started."""
        return sum(since < at <= until for at, _ in self._starts)

    def for_limits(self, scenario: Scenario, earlier: Request, later: Request) -> float:
        """The greatest age that the earlier request may have when the later one is sent: not more
        than by the ledger's time, nor than by the API's clock, which is right. The date of a look
        is exact to a second, and its answer and the POST may be late."""
        by_api = later.departed - earlier.departed + 2 * scenario.timeout + gate_wait(scenario) + 1
        return min(self.by_ledger(earlier, later), by_api)

    def by_ledger(self, earlier: Request, later: Request) -> float:
        sent, now = self._earliest(earlier), self._latest(later)
        if sent <= now:
            return now - sent
        since = None
        for at, time in self._noted:
            if earlier.departed < at <= later.departed:
                ahead = sent > time
                since = (time if since is None else min(since, time)) if ahead else None
        return 0.0 if since is None else max(0.0, now - since)

    def _earliest(self, request: Request) -> float:
        return request.clock + min(self._ahead(request))

    def _latest(self, request: Request) -> float:
        return request.clock + max(self._ahead(request))

    def _ahead(self, request: Request) -> list[float]:
        """By how much the ledger's clock may have been ahead when it was read for a request: the
        possible values."""
        since, until = request.departed - _UNSURE_BEFORE, request.departed + _UNSURE_AFTER
        before = [ahead for at, ahead in self._jumps if at <= since]
        return [*(before[-1:] or [0.0]), *(a for at, a in self._jumps if since < at <= until)]


def known(scenario: Scenario, earlier: Request, later: Request) -> bool:
    """Whether the earlier request counts for the later one: the ledger contained it when the later
    one was reserved, or both have the same sender, which puts it back first."""
    since, until = later.departed - reserved_before(scenario), later.departed
    return earlier.client == later.client or not any(
        lost_at <= until and since <= back_at for lost_at, back_at in earlier.lacking
    )


def clocks_apart(earlier: Request, later: Request) -> float:
    """How much later the later one was sent by its sender's clock; negative if the clock was set
    back."""
    return later.clock - earlier.clock


def posts(log: Log) -> list[Request]:
    """The retries that may have been sent, in the order of sending."""
    return [r for r in log.requests if r.operation == "retry" and r.fault != "refuse"]


def surely_charged(post: Request) -> bool:
    """Whether it is certainly charged: its answer cannot have been 401, 403 or 429."""
    return post.fault != "refuse" and (post.delivered is None or post.code not in (401, 403, 429))


def refused(post: Request) -> bool:
    """Whether the client got a refusal, which is charged."""
    if post.delivered is None or post.code is None:
        return False
    no = post.code == 200 and post.retried is False and post.fault not in _GARBLED
    return no or (400 <= post.code < 500 and post.code not in (401, 403, 429))


_GARBLED = ("truncated", "ill_typed", "retried_yes")


def heard_at(request: Request) -> float:
    """The client's time when the answer came."""
    assert request.delivered is not None
    return request.clock + (request.delivered - request.departed)


def useful(look: Request) -> bool:
    """Whether the client could use the answer: it was complete, and about the requested slot."""
    return (
        look.delivered is not None
        and look.code == 200
        and look.about is None
        and look.fault not in _GARBLED
    )


def gate_wait(scenario: Scenario) -> float:
    """How much later than its `sent_at` a POST may be sent: it waits for its turn at the gate,
    after other POSTs and the looks before them."""
    return (2 * len(scenario.models) + 2) / scenario.max_rate + ROUNDING


def reserved_before(scenario: Scenario) -> float:
    """How long before it was sent a POST was reserved at most: the second look comes in between."""
    return gate_wait(scenario) + scenario.timeout + 2


def of_model(requests: Iterable[Request], model_id: str) -> list[Request]:
    return [request for request in requests if request.model_id == model_id]
