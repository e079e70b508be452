"""The simulated fleet: how models fail, what a retry does, and when a person comes."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from watchdog.domain.causes import Cause
from watchdog.domain.records import DeploymentRef
from watchdog.simulate.agenda import START, Agenda
from watchdog.simulate.draws import Draws
from watchdog.simulate.fleet import Fault, Fleet
from watchdog.simulate.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable

ACTIVE, BUILDING, FAILED = "ACTIVE", "BUILDING", "BUILD_FAILED"

_API_LIMIT = 10
"""How many retries the API executes in a minute for one key. It answers the others with 429."""

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a model cannot be deployed now, as its log shows it. `ends` None: when a person pushes a
    fix."""

    cause: Cause
    ends: datetime | None


@dataclass(slots=True)
class Slot:
    """The development slot of one model. `broke_at` is since when it does not work; `broken`
    counts how often that happened."""

    model_id: str
    status: str
    deployment: DeploymentRef
    reasons: list[Reason] = field(default_factory=list)
    broke_at: datetime | None = None
    broken: int = 0
    deploys: int = 0

    def reason(self, now: datetime) -> Reason | None:
        """Why a deploy would fail now, if it would."""
        self.reasons = [each for each in self.reasons if each.ends is None or each.ends > now]
        return self.reasons[-1] if self.reasons else None


class World:
    """One random fleet. `changed` is called with a model's slot whenever its status changes."""

    def __init__(self, fleet: Fleet, draws: Draws, agenda: Agenda, tally: Tally) -> None:
        self.agenda = agenda
        self.tally = tally
        self.draws = draws
        self.changed: Callable[[Slot], None] = _ignore
        self._fleet = fleet
        self._executed: list[datetime] = []
        width = len(str(fleet.models - 1))
        self.slots = [
            Slot(id_, ACTIVE, DeploymentRef(f"d-{id_}", START - timedelta(days=1)))
            for id_ in (f"m{number:0{width}}" for number in range(fleet.models))
        ]
        for number, fault in enumerate(fleet.faults):
            for slot in self.slots:
                if draws.share(f"concerns/{number}/{slot.model_id}") < fault.share:
                    self._plan(slot, number, fault, 0)

    def is_throttled(self) -> bool:
        """Whether the API would answer the next retry with 429."""
        since = self.agenda.now - _MINUTE
        self._executed = [at for at in self._executed if at > since]
        return len(self._executed) >= _API_LIMIT

    @property
    def throttled_until(self) -> datetime:
        return self._executed[0] + _MINUTE

    def retry(self, slot: Slot) -> bool:
        """Send a retry. False: it was answered with 429, or there was nothing to retry."""
        now = self.agenda.now
        reason = slot.reason(now)
        refused = slot.status != FAILED or self.is_throttled()
        self.tally.retried(slot.model_id, now, hopeless=refused or reason is not None)
        if refused:
            return False
        self._executed.append(now)
        slot.deploys += 1
        name = f"deploy/{slot.model_id}/{slot.deploys}"
        if reason is None:
            span = self.draws.duration(self._fleet.build.times, name)
        else:
            span = self.draws.duration(self._fleet.fails_after.times, name)
            self.tally.wasted(span)
        self._build(slot, span, works=reason is None, by_person=False)
        return True

    def _build(self, slot: Slot, span: timedelta, *, works: bool, by_person: bool) -> None:
        finish = partial(self._finish, slot, works=works, by_person=by_person)
        self.agenda.at(self.agenda.now + span, finish)
        self._show(slot, BUILDING)

    def _finish(self, slot: Slot, *, works: bool, by_person: bool) -> None:
        if works and slot.broke_at is not None:
            self.tally.ended(self.agenda.now - slot.broke_at, by_person=by_person)
            slot.broke_at = None
        self._show(slot, ACTIVE if works else FAILED)

    def _show(self, slot: Slot, status: str) -> None:
        slot.status = status
        self.changed(slot)

    def _plan(self, slot: Slot, number: int, fault: Fault, n: int) -> None:
        """Plan the nth time at which a fault reaches a model."""
        name = f"{number}/{slot.model_id}/{n}"
        strike = partial(self._strike, slot, number, fault, n)
        if fault.every is not None:
            self.agenda.at(self.agenda.now + self.draws.gap(fault.every, f"gap/{name}"), strike)
        elif fault.at is not None:
            late = fault.spread * self.draws.share(f"late/{name}")
            self.agenda.at(START + fault.at + late, strike)

    def _strike(self, slot: Slot, number: int, fault: Fault, n: int) -> None:
        name = f"{number}/{slot.model_id}/{n}"
        if fault.every is not None:
            self._plan(slot, number, fault, n + 1)
        reason = self._reason(number, fault, name)
        if reason.ends is not None and reason.ends <= self.agenda.now:
            return
        slot.reasons.append(reason)
        if slot.status != ACTIVE:
            return
        slot.broke_at = self.agenda.now
        slot.broken += 1
        self.tally.failures += 1
        comes = self.agenda.now + self.draws.duration(self._fleet.person.times, f"person/{name}")
        self.agenda.at(comes, partial(self._attend, slot, slot.broken))
        self._show(slot, FAILED)

    def _reason(self, number: int, fault: Fault, name: str) -> Reason:
        ends = None
        if not isinstance(fault.lasts, str) and fault.at is None:
            ends = self.agenda.now + self.draws.duration(fault.lasts.times, f"lasts/{name}")
        elif not isinstance(fault.lasts, str) and fault.at is not None:
            # It ends for all models at once.
            ends = START + fault.at + self.draws.duration(fault.lasts.times, f"lasts/{number}")
        return Reason(_chosen(fault, self.draws.share(f"cause/{name}")), ends)

    def _attend(self, slot: Slot, broken: int) -> None:
        """A person comes to a model that still does not work, and pushes a fix as soon as a build
        can work."""
        if slot.broke_at is None or slot.broken != broken:
            return
        again = partial(self._attend, slot, broken)
        passing = [each.ends for each in slot.reasons if each.ends is not None]
        lasting = max(passing, default=self.agenda.now)
        if lasting > self.agenda.now:
            self.agenda.at(lasting, again)
            return
        if slot.status == BUILDING:
            self.agenda.at(self.agenda.now + _MINUTE, again)
            return
        slot.reasons.clear()
        created = slot.deployment.created_at + timedelta(days=1)
        slot.deployment = DeploymentRef(slot.deployment.id, created)
        span = self.draws.duration(self._fleet.build.times, f"push/{slot.model_id}/{broken}")
        self._build(slot, span, works=True, by_person=True)


def _chosen(fault: Fault, place: float) -> Cause:
    """The cause at this place from 0 to 1, where each cause takes a part as long as its share."""
    for cause, share in fault.causes.items():
        place -= share
        if place < 0:
            return cause
    return cause  # The shares may add up to a little less than 1.


def _ignore(_slot: Slot) -> None:
    return
