"""That each process's clock keeps its promise: a step of the wall clock moves nothing while it
runs, and is adopted by no more than a hundredth of the time that passes. One that happens while
it is down is believed. A command goes by the clock of the daemon that lives beside it."""

from collections.abc import Iterator, Sequence

from tests.simulation.log import Happened, Log, Request
from tests.simulation.verdict import ROUNDING, Violation

_ADOPTED = 0.01


def check_clocks(log: Log) -> Iterator[Violation]:
    starts = {one.who: one for one in log.happened if one.kind == "start"}
    ends = {one.who: one.at for one in log.happened if one.kind in ("kill", "stop")}
    sleeps = [(one.at, float(one.detail)) for one in log.happened if one.kind == "suspend"]
    for request in log.requests:
        own = starts[request.client]
        clocks = [own]
        if not own.who.startswith("daemon"):
            clocks = _beside(request, own, list(starts.values()), ends)
        wrong = min((_off(request, clock, sleeps) for clock in clocks), key=lambda off: off[1])
        if wrong[1] > ROUNDING:
            text = f"#{request.number}: the clock of {request.client} is {wrong[0]:+.3f} s off"
            yield Violation("clock", request.departed, request.model_id, text)


def _beside(
    request: Request, command: Happened, starts: Sequence[Happened], ends: dict[str, float]
) -> list[Happened]:
    """Whose clock a command may go by: that of the daemon which lives all the time, or, where one
    starts or ends meanwhile, its own too."""
    daemons = [one for one in starts if one.who.startswith("daemon") and one.at <= request.departed]
    near = [one for one in daemons if ends.get(one.who, float("inf")) >= command.at]
    whole = [
        one
        for one in near
        if one.at < command.at and ends.get(one.who, float("inf")) > request.departed
    ]
    return whole or [command, *near]


def _off(
    request: Request, start: Happened, sleeps: Sequence[tuple[float, float]]
) -> tuple[float, float]:
    """How far a request's clock is off one that started there, and by how much too far."""
    slept = sum(span for at, span in sleeps if start.at <= at < request.departed)
    passed = request.departed - start.at - slept
    wrong = request.clock - (start.at + start.wall + passed)
    return wrong, abs(wrong) - passed * _ADOPTED
