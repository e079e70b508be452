"""A broken watchdog: the correct one with some of its parts changed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from tests.simulation.scenario import Scenario

Change = tuple[object, str, Any]


@dataclass(frozen=True)
class Mutant:
    """`rules` are the rules of the checker that may catch it. `first` is the seed to begin with.
    `world` changes the scenarios if random ones would catch it too rarely."""

    name: str
    changes: tuple[Change, ...]
    rules: frozenset[str]
    first: int
    world: Callable[[Scenario], Scenario]

    @contextmanager
    def at_large(self) -> Iterator[None]:
        with ExitStack() as stack:
            for owner, name, broken in self.changes:
                stack.enter_context(patch.object(owner, name, broken))
            yield


def mutant(
    name: str,
    *changes: Change,
    caught_by: str,
    first: int = 0,
    world: Callable[[Scenario], Scenario] = lambda scenario: scenario,
) -> Mutant:
    return Mutant(name, changes, frozenset(caught_by.split(", ")), first, world)
