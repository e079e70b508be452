"""The virtual time: what happens when, in order."""

import heapq
from collections.abc import Callable
from datetime import UTC, datetime

START = datetime(2026, 1, 5, tzinfo=UTC)
"""When every simulation begins: a Monday at midnight, so that 4 days later it is Friday."""


class Agenda:
    """The events that are to come. Of events at the same moment, the one that was planned first
    happens first. `done` counts the events that happened."""

    def __init__(self) -> None:
        self.now = START
        self.done = 0
        self._number = 0
        self._heap: list[tuple[datetime, int, Callable[[], None]]] = []

    @property
    def planned(self) -> int:
        """How many events are to come."""
        return len(self._heap)

    def at(self, moment: datetime, do: Callable[[], None]) -> None:
        """Plan an event. One that is planned for the past happens now."""
        self._number += 1
        heapq.heappush(self._heap, (max(moment, self.now), self._number, do))

    def run(self, until: datetime) -> None:
        """Let everything happen that is planned for before `until`."""
        heap = self._heap
        while heap and heap[0][0] < until:
            self.now, _, do = heapq.heappop(heap)
            self.done += 1
            do()
        self.now = until
