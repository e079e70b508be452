"""Cuts several lists of past events so that they cover the same time and can be shown together."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

Listed = tuple[Sequence[Any], Callable[[Any], datetime]]
"""Past events, newest first, and the time of each."""


def cut_together(*lists: Listed, limit: int) -> list[list[Any]]:
    """At most `limit` entries of each list, and from no list an entry older than the time from
    which one of the lists was cut. Otherwise a time would be shown with the entries of one list and
    without those of another. Each input list has one entry more than `limit` if there are more."""
    lacking = max((at(found[limit]) for found, at in lists if len(found) > limit), default=None)
    return [
        [each for each in found[:limit] if lacking is None or at(each) > lacking]
        for found, at in lists
    ]
