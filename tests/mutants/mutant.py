"""A broken watchdog."""

from dataclasses import dataclass

from tests.mutants.replacing import Change

ENGINE = "tests/engine/test_engine.py::"
ATTEMPT = "tests/engine/test_attempt.py::"
RESERVATION = "tests/engine/test_reservation.py::"
OPERATE = "tests/engine/test_operate.py::"
LEDGER = "tests/contract/test_ledger.py::"


@dataclass(frozen=True)
class Mutant:
    """`rule` says which rule of docs/semantics.md it breaks. `test` is the test that must fail, or
    the file of which one must: a node id without parameters."""

    name: str
    rule: str
    changes: tuple[Change, ...]
    test: str


def mutant(name: str, rule: str, *changes: Change, caught_by: str) -> Mutant:
    return Mutant(name, rule, changes, caught_by)
