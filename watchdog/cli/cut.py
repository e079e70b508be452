"""Cuts several lists of past events so that they cover the same time and can be shown together."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

Listed = tuple[Sequence[Any], Callable[[Any], datetime]]
"""Past events, newest first, and the time of each."""


def cut_together(*lists: Listed, limit: int) -> list[list[Any]]:
    """At most `limit` entries of each list. If a list has more, the time of the newest entry that
    it must leave out is the limit for all lists: entries from then or earlier are left out
    everywhere. Otherwise one time would be shown with entries of one list and without those of
    another. Each input list has one entry more than `limit` if there are more."""
    lacking = max((at(found[limit]) for found, at in lists if len(found) > limit), default=None)
    return [
        [each for each in found[:limit] if lacking is None or at(each) > lacking]
        for found, at in lists
    ]
