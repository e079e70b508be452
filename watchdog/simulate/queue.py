"""The queue of the simulated watchdog: see `domain.queue`."""

import bisect
from collections.abc import Iterator
from datetime import datetime

Place = tuple[int, datetime, str]
"""Rank, since when it is ready, and the model's id."""


class Queue:
    """The targets that wait for the fleet's limits, in order."""

    def __init__(self) -> None:
        self._order: list[Place] = []
        self._places: dict[str, Place] = {}

    def put(self, model_id: str, place: Place | None) -> None:
        """Put a target at this place. None removes it, because it no longer waits."""
        before = self._places.pop(model_id, None)
        if before is not None:
            del self._order[bisect.bisect_left(self._order, before)]
        if place is not None:
            bisect.insort(self._order, place)
            self._places[model_id] = place

    def ahead(self, place: Place) -> int:
        """How many targets go before this place."""
        return bisect.bisect_left(self._order, place)

    def __iter__(self) -> Iterator[str]:
        return (model_id for _, _, model_id in self._order)
