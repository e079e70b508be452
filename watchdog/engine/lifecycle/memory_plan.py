"""When targets are due while the ledger is away."""

from collections.abc import Container, Mapping
from datetime import datetime, timedelta

from watchdog.domain.records import Target
from watchdog.engine.ports import Due


class MemoryPlan:
    """The plan that this process makes by what it remembers: each target first at the time that was
    last planned for it, then once an interval."""

    def __init__(self) -> None:
        self._next_at: dict[str, datetime] = {}

    def due(
        self,
        targets: Mapping[str, Target],
        until: datetime,
        interval: timedelta,
        limit: int,
        in_hand: Container[str],
    ) -> list[Due]:
        """At most `limit` of the targets that are due by `until`, without those `in_hand`."""
        due: list[Due] = []
        for model_id, target in targets.items():
            at = self._next_at.get(model_id, target.next_check_at)
            if at is None or at > until or model_id in in_hand:
                continue
            if len(due) >= limit:
                break
            due.append(Due(target, at))
            self._next_at[model_id] = until + interval
        return due

    def clear(self) -> None:
        """The ledger plans again."""
        self._next_at.clear()
