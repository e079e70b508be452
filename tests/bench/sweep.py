"""A daemon that goes on with a fleet it knows, for so many checks."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from tests.bench.measure import Figures, child, workplace
from tests.bench.seeded import seed


def sweep(
    url: str,
    targets: Sequence[str],
    *,
    interval: timedelta,
    first: int,
    count: int,
    rate: float | None = None,
    past: int = 0,
    **sections: Any,
) -> Figures:
    """What `count` checks took after the `first` ones; `rate` in place of the setting's, `past`
    attempts in the ledger."""
    pace = {"interval": f"{interval // timedelta(milliseconds=1)}ms", "recovery_interval": "1s"}
    watch = {**pace, **sections.pop("watch", {})}
    with workplace(url, targets, watch=watch, **sections) as config:
        seed(config, targets, spread=interval, past=past)
        faster = () if rate is None else ("--rate", rate)
        return child("watched", config, "--first", first, "--count", count, *faster)
