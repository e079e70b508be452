"""`history --fleet`: when the breaker opened, what its canaries showed, and why it closed."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from watchdog.cli.cut import cut_together
from watchdog.domain.breaker import Canary, CanaryResult, ClosedBy, Opening
from watchdog.text.phrases import age, clock_time

if TYPE_CHECKING:
    from watchdog.engine.ports import LedgerTransaction

COLUMNS = ("time", "what", "model", "result", "detail")

Line = tuple[datetime, tuple[str, ...]]


def read(tx: "LedgerTransaction", limit: int) -> tuple[Sequence[Opening], Sequence[Canary]]:
    openings, canaries = cut_together(
        (tx.breaker.openings(limit=limit + 1), lambda each: each.opened_at),
        (tx.breaker.canaries(limit=limit + 1), lambda each: each.named_at),
        limit=limit,
    )
    return openings, canaries


def lines(openings: Sequence[Opening], canaries: Sequence[Canary]) -> list[tuple[str, ...]]:
    """One line for each thing that happened, newest first."""
    found = [line for opening in openings for line in _of_opening(opening)]
    found += [(canary.named_at, _of_canary(canary)) for canary in canaries]
    return [cells for _, cells in sorted(found, key=lambda line: line[0], reverse=True)]


def as_json(openings: Sequence[Opening], canaries: Sequence[Canary]) -> dict[str, Any]:
    return {
        "openings": [
            {
                "opening_id": opening.id,
                "opened_at": opening.opened_at,
                "failures": opening.failures,
                "not_failing": opening.not_failing,
                "held_until": opening.condition_until,
                "closed_at": opening.closed_at,
                "closed_by": opening.closed_by,
            }
            for opening in openings
        ],
        "canaries": [
            {
                "opening_id": canary.opening_id,
                "model_id": canary.model_id,
                "named_at": canary.named_at,
                "attempt_id": canary.attempt_id,
                "ended_at": canary.ended_at,
                "result": canary.result,
            }
            for canary in canaries
        ],
    }


def _of_opening(opening: Opening) -> Iterator[Line]:
    failed, well = opening.failures, opening.not_failing
    why = f"{failed} models began to fail, {well} did not"
    result = "open" if opening.closed_at is None else "closed"
    yield opening.opened_at, (clock_time(opening.opened_at), "breaker opened", "-", result, why)
    if opening.closed_at is not None and opening.closed_by is not None:
        after = f"after {age(opening.closed_at - opening.opened_at)}"
        if opening.closed_by is ClosedBy.LAPSED:
            after += "; nobody was there to judge it for the last 24h"
        cells = (clock_time(opening.closed_at), "breaker closed", "-", opening.closed_by, after)
        yield opening.closed_at, cells


def _of_canary(canary: Canary) -> tuple[str, ...]:
    result = "under way" if canary.result is None else canary.result.value
    detail = f"after {age(canary.ended_at - canary.named_at)}" if canary.ended_at else ""
    if canary.result is CanaryResult.UNSENT:
        detail = "could not be retried; another one took its turn"
    return (clock_time(canary.named_at), "canary", canary.model_id, result, detail)
