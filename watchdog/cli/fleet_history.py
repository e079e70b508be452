"""`history --fleet`: when the breaker opened, what its canaries showed, and why it closed."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from watchdog.cli.layout import Column, shorten_end, shorten_middle
from watchdog.cli.output import when, zone
from watchdog.domain.breaker import Canary, CanaryResult, ClosedBy, Opening
from watchdog.text.phrases import age


def columns() -> tuple[Column, ...]:
    return (
        Column(zone()),
        Column("what"),
        Column("model", 0, shorten_middle),
        Column("result"),
        Column("detail", 1, shorten_end),
    )


Line = tuple[datetime, tuple[str, ...]]
"""When, and then the cells of the history: the model's id ("all": every model), what, result, by,
detail."""


def rows(
    openings: Sequence[Opening], canaries: Sequence[Canary], start: datetime | None
) -> list[tuple[str, ...]]:
    """One row for each thing that happened since then, newest first."""
    found = [line for line in lines(openings, canaries) if start is None or line[0] >= start]
    return [
        (when(at), what, "-" if model_id == "all" else model_id, result, detail)
        for at, (model_id, what, result, _, detail) in sorted(
            found, key=lambda line: line[0], reverse=True
        )
    ]


def lines(openings: Sequence[Opening], canaries: Sequence[Canary]) -> list[Line]:
    found = [line for opening in openings for line in _of_opening(opening)]
    return found + [_of_canary(canary) for canary in canaries]


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
    yield opening.opened_at, ("all", "breaker opened", result, "", why)
    if opening.closed_at is not None and opening.closed_by is not None:
        after = f"after {age(opening.closed_at - opening.opened_at)}"
        if opening.closed_by is ClosedBy.LAPSED:
            after += "; no process judged it for the last 24h"
        yield opening.closed_at, ("all", "breaker closed", opening.closed_by, "", after)


def _of_canary(canary: Canary) -> Line:
    result = "under way" if canary.result is None else canary.result.value
    detail = f"after {age(canary.ended_at - canary.named_at)}" if canary.ended_at else ""
    if canary.result is CanaryResult.UNSENT:
        detail = "was not retried in time; the next canary is named"
    return canary.named_at, (canary.model_id, "canary", result, "", detail)
