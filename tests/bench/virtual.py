"""The simulation of policies: events a second, and whether its memory grows with the days. Run as a
module, it simulates one fleet, and prints what that took."""

import json
import resource
import sys
import time
from datetime import timedelta

from tests.bench.measure import Figures, Row, Scale, child, measured, median, values

_GOAL = 10
_KILOBYTES = 1024
_INCIDENT = timedelta(hours=2)


def of_policies(scale: Scale) -> list[Row]:
    """One policy in one world, on a fleet in which most models fail at once."""
    rows = []
    for models, days, most in ((300, 30, 5), (10_000, 1, 10)):
        found = [child("virtual", scale.of(models), days) for _ in range(scale.times)]
        rate = f"{median(found, 'events', 'cpu_seconds'):,.0f} events/s"
        what = f"simulate, {models:,} models, {days} days"
        spent = values(found, "cpu_seconds")
        rows.append(measured(_GOAL, what, spent, "s CPU", rate, at_most=most))
    few, many = (child("virtual", scale.of(300), scale.of(days)) for days in (10, 300))
    grown = (many["resident"] - few["resident"]) / _KILOBYTES
    rows.append(Row(_GOAL, "memory, 300 days beside 10", grown, "MB", "resident set", at_most=5))
    return rows


def main(models: int, days: int) -> Figures:
    from watchdog.simulate.fleet import load_fleet
    from watchdog.simulate.run import presets, simulate

    fleet = load_fleet("platform-incident")
    incident = fleet.faults[-1].model_copy(update={"at": _INCIDENT})
    fleet = fleet.model_copy(update={"faults": (*fleet.faults[:-1], incident)}).sized(models, days)
    began = time.process_time()
    _, events = simulate(presets()["ours"], fleet, 1, 0)
    spent = time.process_time() - began
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"cpu_seconds": spent, "events": events, "resident": resident}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))  # noqa: T201
