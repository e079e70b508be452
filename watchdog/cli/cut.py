"""Lists of things that happened, cut so that they can be shown together."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

Listed = tuple[Sequence[Any], Callable[[Any], datetime]]
"""Things that happened, newest first, and when each of them did."""


def cut_together(*lists: Listed, limit: int) -> list[list[Any]]:
    """At most `limit` of each list, and from all lists nothing that is older than what one lacks.

    Otherwise a time would be shown with what one list has of it, and without what another one had.
    Each list has one entry more than `limit` where there is more.
    """
    lacking = max((at(found[limit]) for found, at in lists if len(found) > limit), default=None)
    return [
        [each for each in found[:limit] if lacking is None or at(each) > lacking]
        for found, at in lists
    ]
