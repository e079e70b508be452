"""Checks for one run that the promises of docs/semantics.md were kept. It knows the scenario, the
API's request log and when each process was alive; it uses the ledger's rows only for the
accounting. It imports nothing of the watchdog: it computes each rule itself.

The rules tolerate only this (docs/semantics.md, section 20). Ledger time is the time of a process's
clock, and a step of the wall clock while no process runs is accepted as true. A status may change
between the second look and the POST, and may lag by the time-out and a `recovery_interval` after a
POST of ours: no client can know. A POST waits for its turn at the gate after its `sent_at`.
"""

from tests.simulation.accounting import check_accounting
from tests.simulation.breaker import check_breaker
from tests.simulation.clocks import check_clocks
from tests.simulation.conduct import check_conduct
from tests.simulation.episodes import check_episodes
from tests.simulation.fairness import check_fairness
from tests.simulation.forbidden import check_forbidden
from tests.simulation.limits import check_limits
from tests.simulation.liveness import check_liveness
from tests.simulation.log import Log
from tests.simulation.result import Result
from tests.simulation.standing import check_standing, is_judged
from tests.simulation.verdict import Violation


def check(result: Result) -> list[Violation]:
    """The violations, in the order of time."""
    liveness = check_liveness(result.scenario, result.log, result.statuses, result.ended_at)
    return sorted([*check_safety(result), *liveness], key=lambda each: each.at)


def check_safety(result: Result) -> list[Violation]:
    """The violations of rules that forbid something."""
    scenario, log = result.scenario, result.log
    return [
        *check_clocks(log),
        *check_limits(scenario, log),
        *check_episodes(scenario, log),
        *check_conduct(scenario, log),
        *check_forbidden(scenario, log),
        *check_fairness(scenario, log, result.ended_at),
        *check_standing(result),
        *check_breaker(scenario, log, result.attempts),
        *check_accounting(scenario, log, result.attempts),
        *(Violation("internal error", result.ended_at, None, text) for text in result.problems),
    ]


def settled(result: Result) -> bool:
    """Whether nothing is left to wait for: no build, no retry, and no decision who deactivated a
    deployment."""
    judged = not result.scenario.audited or is_judged(result)
    return (
        judged
        and not result.building
        and not list(check_liveness(result.scenario, result.log, result.statuses, result.ended_at))
    )


def report(log: Log, violations: list[Violation], seed: int, *, replay: str = "make seeds") -> str:
    """A text about the violations: what was violated, the lines of the log that show it, and how to
    repeat the run."""
    first = violations[0]
    lines = log.lines(model_id=first.model_id, until=first.at + 60).splitlines()[-60:]
    return "\n".join(
        [
            f"seed {seed}: {len(violations)} broken",
            *(f"  {each}" for each in violations[:10]),
            *lines,
            f"replay: {replay} SEED={seed}",
        ]
    )
