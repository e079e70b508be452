"""Tries one policy on one world."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from watchdog.config import Config
from watchdog.simulate.agenda import START, Agenda
from watchdog.simulate.draws import Draws
from watchdog.simulate.fleet import Fleet
from watchdog.simulate.ours import Watchdog
from watchdog.simulate.rules import rules_of
from watchdog.simulate.scripts import CRON_LOOP, DOUBLING, FIXED, Script, ScriptRules
from watchdog.simulate.tally import Tally
from watchdog.simulate.world import World

Play = Callable[[World], object]
"""Lets a policy act in a world."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy by its name in the table: a configuration of the watchdog, or another program."""

    name: str
    rules: Config | ScriptRules

    def play(self, world: World) -> None:
        if isinstance(self.rules, ScriptRules):
            Script(self.rules, world)
        else:
            Watchdog(rules_of(self.rules, len(world.slots)), world)


def presets() -> dict[str, Policy]:
    """The policies that have a name. `ours` is the default configuration."""
    named: dict[str, Config | ScriptRules] = {
        "ours": Config(),
        "cron-loop": CRON_LOOP,
        "fixed-10m": FIXED,
        "doubling": DOUBLING,
    }
    return {name: Policy(name, rules) for name, rules in named.items()}


def simulate(
    policy: Policy,
    fleet: Fleet,
    seed: int,
    number: int,
    *,
    tally: Tally | None = None,
    each_day: Callable[[], None] = lambda: None,
) -> tuple[Tally, int]:
    """What the policy did in the world of this number, and how many events that took."""
    agenda, tally = Agenda(), tally or Tally()
    world = World(fleet, Draws(seed, number), agenda, tally)
    policy.play(world)
    for day in range(1, fleet.days + 1):
        agenda.run(START + timedelta(days=day))
        each_day()
    return tally, agenda.done
