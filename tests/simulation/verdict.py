"""What the checker says, and what all its rules need."""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.simulation.log import Log, Request
from tests.simulation.scenario import Scenario

DAY, MINUTE = 86_400.0, 60.0

_UNSURE_BEFORE, _UNSURE_AFTER = 15.0, 5.0
"""So long before a request, and after it, the ledger's clock may have been read for it: whoever is
kept from asking goes on from what it read last, and an answer takes a while."""

ROUNDING = 0.01
"""Ledger time is in whole microseconds, and a clock that is read often rounds often."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken, `at` a moment of true time."""

    rule: str
    at: float
    model_id: str | None
    text: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.model_id or 'fleet'} at {self.at:.3f}: {self.text}"


class Ages:
    """How old things are taken to be.

    A moment is what its process's clock said. After a step back while no daemon ran, what lies in
    the future counts as of the moment at which the next process started; after a jump back of a
    shared ledger's clock, as of that jump. Near a jump nobody can tell by which clock a moment was
    read: then it is as old as it can be.
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
        """How long after the earlier one the later one left."""
        starts = [time for at, time in self._starts if earlier.departed < at <= later.departed]
        return self._latest(later) - min([self._earliest(earlier), *starts])

    def starts(self, since: float, until: float) -> int:
        """How many daemons started."""
        return sum(since < at <= until for at, _ in self._starts)

    def for_limits(self, scenario: Scenario, earlier: Request, later: Request) -> float:
        """How old the earlier one may be taken to be when the later one leaves: no older than by
        the ledger's time, nor than by the API's clock, which is right. A look's date is exact to a
        second, and its answer and the POST may be late."""
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
        """How far the ledger's clock may have been ahead when it was read for a request."""
        since, until = request.departed - _UNSURE_BEFORE, request.departed + _UNSURE_AFTER
        before = [ahead for at, ahead in self._jumps if at <= since]
        return [*(before[-1:] or [0.0]), *(a for at, a in self._jumps if since < at <= until)]


def known(scenario: Scenario, earlier: Request, later: Request) -> bool:
    """Whether the ledger in which the later one was reserved had the earlier one, or else its own
    sender did, which puts it back first."""
    since, until = later.departed - reserved_before(scenario), later.departed
    return earlier.client == later.client or not any(
        lost_at <= until and since <= back_at for lost_at, back_at in earlier.lacking
    )


def clocks_apart(earlier: Request, later: Request) -> float:
    """How much later the later one left, by its sender's clock; less than 0: that was set back."""
    return later.clock - earlier.clock


def posts(log: Log) -> list[Request]:
    """The retries that may have left the machine, in the order of their departure."""
    return [r for r in log.requests if r.operation == "retry" and r.fault != "refuse"]


def surely_charged(post: Request) -> bool:
    """Whether the answer cannot have been one that is free: 401, 403, 429."""
    return post.fault != "refuse" and (post.delivered is None or post.code not in (401, 403, 429))


def refused(post: Request) -> bool:
    """Whether the client heard a no that is charged."""
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
    """Whether the client could use what it was told: it was about the slot that it asked for."""
    return (
        look.delivered is not None
        and look.code == 200
        and look.about is None
        and look.fault not in _GARBLED
    )


def gate_wait(scenario: Scenario) -> float:
    """How much later than its `sent_at` a POST may leave: it waits for its turn at the gate,
    with the other POSTs and the looks before them."""
    return (2 * len(scenario.models) + 2) / scenario.max_rate + ROUNDING


def reserved_before(scenario: Scenario) -> float:
    """How long before its departure a POST was reserved at most: it looks again meanwhile."""
    return gate_wait(scenario) + scenario.timeout + 2


def of_model(requests: Iterable[Request], model_id: str) -> list[Request]:
    return [request for request in requests if request.model_id == model_id]
