"""What a user of `simulate` may write, and a tally that remembers single retries."""

from collections import defaultdict
from datetime import datetime

from watchdog.simulate.tally import Tally

FLEET = """
models: 5
days: 2
build: 4m
fails_after: { median: 3m, p95: 9m }
person: 4h
faults:
  - every: 1d
    causes: { network: 0.5, unknown: 0.5 }
    lasts: 20m
"""


class Times(Tally):
    """When a retry was sent to each model, and whether it was hopeless."""

    def __init__(self) -> None:
        super().__init__()
        self.retries: defaultdict[str, list[tuple[datetime, bool]]] = defaultdict(list)

    def retried(self, model_id: str, at: datetime, *, hopeless: bool) -> None:
        super().retried(model_id, at, hopeless=hopeless)
        self.retries[model_id].append((at, hopeless))
