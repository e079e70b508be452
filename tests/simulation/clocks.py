"""That each process's clock keeps its promise: a step of the wall clock moves nothing while it
runs, and is adopted by no more than a hundredth of the time that passes. One that happens while
it is down is believed."""

from collections.abc import Iterator

from tests.simulation.log import Log
from tests.simulation.verdict import ROUNDING, Violation

_ADOPTED = 0.01


def check_clocks(log: Log) -> Iterator[Violation]:
    starts = {one.who: one for one in log.happened if one.kind == "start"}
    sleeps = [(one.at, float(one.detail)) for one in log.happened if one.kind == "suspend"]
    for request in log.requests:
        start = starts[request.client]
        slept = sum(span for at, span in sleeps if start.at <= at < request.departed)
        passed = request.departed - start.at - slept
        wrong = request.clock - (start.at + start.wall + passed)
        if abs(wrong) > passed * _ADOPTED + ROUNDING:
            text = f"#{request.number}: the clock of {request.client} is {wrong:+.3f} s off"
            yield Violation("clock", request.departed, request.model_id, text)
