"""What a look at a model finds."""

from dataclasses import dataclass
from datetime import datetime

from watchdog.domain.records import Observation


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found: an observation, or None for a 404; and what the API's clock said then,
    if it said so."""

    at: datetime
    observation: Observation | None
    date: datetime | None = None
