"""Checks the promise of each process's clock. A step of the wall clock does not step it while the
process runs; the difference is adopted by no more than a hundredth of the time that passes. A step
while the process is down is accepted as true. A command uses the daemon's clock while a daemon is
alive."""

from collections.abc import Iterator

from tests.simulation.log import Happened, Log
from tests.simulation.verdict import ROUNDING, Violation

_ADOPTED = 0.01

_NOTED = 0.05
"""Seconds by which the time that a daemon writes for commands may be wrong."""


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
    """The start of the daemon that was alive then."""
    start: Happened | None = None
    for one in log.happened:
        if one.at >= moment:
            break
        if one.kind == "start" and one.who.startswith("daemon"):
            start = one
        elif start is not None and one.who == start.who and one.kind in ("kill", "stop"):
            start = None
    return start
