"""What a look at a model finds."""

from dataclasses import dataclass
from datetime import datetime

from watchdog.domain.records import Observation


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found: an observation, or None for an *absent* look, which is a confirmed 404.
    `date` is the `Date` of the answer, if it had one."""

    at: datetime
    observation: Observation | None
    date: datetime | None = None
