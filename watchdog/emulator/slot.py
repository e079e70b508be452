"""The development slot of an emulated model, and the deploys that it held."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from watchdog.emulator.scenario import Deploy, ModelScenario
from watchdog.emulator.values import Audited, NotFound


@dataclass(slots=True)
class Running:
    """What the latest push or retry began at `began_at`."""

    id: str
    created_at: datetime
    deploy: Deploy
    began_at: datetime


@dataclass(slots=True)
class Slot:
    """The one development slot of a model: how many deploys, ids and acts of its scenario it has
    used; its audit log; what it holds now; what it held before, and until when; and which status a
    lagging read shows, and how many reads have shown it."""

    scenario: ModelScenario
    deploys: int = 0
    ids: int = 0
    acts: int = 0
    running: Running | None = None
    past: list[tuple[Running, datetime]] = field(default_factory=list)
    audit: list[Audited] = field(default_factory=list)
    shown: str | None = None
    stale_reads: int = 0

    def next_deploy(self) -> Deploy:
        if not self.scenario.deploys:
            raise NotFound(f"the scenario gives model {self.scenario.id} no deploys")
        self.deploys += 1
        return self.scenario.deploys[min(self.deploys, len(self.scenario.deploys)) - 1]

    def next_id(self) -> str:
        self.ids += 1
        return hashlib.sha256(f"{self.scenario.id}/{self.ids}".encode()).hexdigest()[:8]

    def put(self, deploy: Deploy, now: datetime, *, created_at: datetime | None = None) -> None:
        """Begin a deploy. The slot's deployment keeps its identity, or is a new one if there was
        none."""
        kept = self.running
        self.take_away(now)
        self.running = Running(
            id=self.next_id() if kept is None else kept.id,
            created_at=created_at or (now if kept is None else kept.created_at),
            deploy=deploy,
            began_at=now,
        )

    def take_away(self, now: datetime) -> None:
        if self.running is not None:
            self.past.append((self.running, now))
        self.running = None

    def deploys_of(self, deployment_id: str, now: datetime) -> list[tuple[Running, datetime]]:
        """The deploys under that id, each with the time until which it was in the slot. Raises
        NotFound when there was none."""
        present = [] if self.running is None else [(self.running, now)]
        found = [each for each in [*self.past, *present] if each[0].id == deployment_id]
        if not found:
            raise NotFound(f"model {self.scenario.id} has no deployment {deployment_id}")
        return found
