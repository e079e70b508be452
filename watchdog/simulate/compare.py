"""Several policies on the same worlds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from watchdog.simulate.estimates import Estimate, estimate
from watchdog.simulate.fleet import Fleet
from watchdog.simulate.run import Policy, simulate
from watchdog.simulate.tally import Result


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of a `Result`. `unit`: `share`, `seconds`, `hours` (of seconds), or `number`."""

    name: str
    title: str
    unit: str
    of: Callable[[Result], float]


MEASURES = (
    Measure("recovered", "recovered", "share", lambda each: each.recovered),
    Measure("time_p50", "time p50", "seconds", lambda each: each.p50),
    Measure("time_p95", "time p95", "seconds", lambda each: each.p95),
    Measure("sent", "retries", "number", lambda each: each.sent),
    Measure("hopeless", "hopeless", "number", lambda each: each.hopeless),
    Measure("most_in_minute", "most/min", "number", lambda each: each.most_in_minute),
    Measure("most_in_day", "most/day", "number", lambda each: each.most_in_day),
    Measure("wasted", "slot hours", "hours", lambda each: each.wasted),
    Measure("to_person", "to a person", "number", lambda each: each.to_person),
    Measure("open", "still failing", "number", lambda each: each.open),
    Measure("failures", "failures", "number", lambda each: each.failures),
)


@dataclass(slots=True)
class Comparison:
    """What is known so far. `results` has a row for each world that all policies were tried on,
    with one result for each policy."""

    policies: Sequence[Policy]
    fleet: Fleet
    seed: int
    results: list[tuple[Result, ...]] = field(default_factory=list)

    def run(self, worlds: int, each_day: Callable[[], None]) -> None:
        """Try all policies on so many worlds. `each_day` is called after each simulated day."""
        for number in range(worlds):
            done = [
                simulate(policy, self.fleet, self.seed, number, each_day=each_day)[0].result()
                for policy in self.policies
            ]
            self.results.append(tuple(done))

    def of(self, policy: int, measure: Measure) -> Estimate:
        return estimate([measure.of(row[policy]) for row in self.results])

    def difference(self, policy: int, measure: Measure) -> Estimate:
        """How much more the policy has than the first one. The difference is computed in each world
        separately, so that differences between the worlds do not count."""
        return estimate([measure.of(row[policy]) - measure.of(row[0]) for row in self.results])
