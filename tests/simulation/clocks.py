"""That each process's clock keeps its promise: a step of the wall clock moves nothing while it
runs, and is adopted by no more than a hundredth of the time that passes. One that happens while
it is down is believed. A command goes by the daemon's clock while one lives."""

from collections.abc import Iterator

from tests.simulation.log import Happened, Log
from tests.simulation.verdict import ROUNDING, Violation

_ADOPTED = 0.01

_NOTED = 0.05
"""A daemon notes for commands what time it is, about so exactly."""


def check_clocks(log: Log) -> Iterator[Violation]:
    own = {one.who: one for one in log.happened if one.kind == "start"}
    sleeps = [(one.at, float(one.detail)) for one in log.happened if one.kind == "suspend"]
    for request in log.requests:
        start = _daemon_at(request.departed, log) or own[request.client]
        slept = sum(span for at, span in sleeps if start.at <= at < request.departed)
        passed = request.departed - start.at - slept
        wrong = request.clock - (start.at + start.wall + passed)
        if abs(wrong) > passed * _ADOPTED + _NOTED + ROUNDING:
            text = f"#{request.number}: the clock of {request.client} is {wrong:+.3f} s off"
            yield Violation("clock", request.departed, request.model_id, text)


def _daemon_at(moment: float, log: Log) -> Happened | None:
    """The start of the daemon that lived then."""
    start: Happened | None = None
    for one in log.happened:
        if one.at >= moment:
            break
        if one.kind == "start" and one.who.startswith("daemon"):
            start = one
        elif start is not None and one.who == start.who and one.kind in ("kill", "stop"):
            start = None
    return start
