"""What `status` reads from the ledger, and what it says of the fleet as a whole."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from watchdog.cli.actions import pause_lines
from watchdog.cli.output import when_in_zone
from watchdog.cli.selection import Named
from watchdog.cli.summary import summary
from watchdog.domain.breaker import Opening
from watchdog.domain.limits import FLEET_DAY, fleet_remaining, room_at
from watchdog.domain.records import Action, Fleet, Health
from watchdog.domain.replica import Replica, ReplicaState
from watchdog.domain.status import broken_reason, needs_operator
from watchdog.engine.fleet import api_state, discovered, overview
from watchdog.engine.fleet.api_date import api_date
from watchdog.engine.fleet.api_state import ApiState
from watchdog.engine.fleet.overview import Overview, Watched
from watchdog.engine.fleet.usage import fleet_used
from watchdog.engine.settings import MODE
from watchdog.text.phrases import age, ago, ahead, signature
from watchdog.text.untrusted import clean

if TYPE_CHECKING:
    from watchdog.config import Config
    from watchdog.engine.ports import LedgerTransaction


@dataclass(frozen=True, slots=True)
class Shown:
    """All targets, and what concerns more than one of them."""

    watched: tuple[Watched, ...]
    fleet: Fleet
    pauses: tuple[Action, ...]
    opening: Opening | None
    replicas: tuple[Replica, ...]
    now: datetime
    api: ApiState
    silent: timedelta | None
    """Since when the process of a daemon that lives has written nothing to the ledger, if that is
    too long."""
    mode: str | None = None
    """As in `Overview`."""

    gone: tuple[Watched, ...] = ()
    """Those that are asked for and not watched any more."""

    @property
    def overview(self) -> Overview:
        return Overview(
            self.now,
            self.watched,
            self.fleet,
            self.pauses,
            self.opening,
            self.replicas,
            self.api,
            mode=self.mode,
        )

    @property
    def lives(self) -> bool:
        """Whether a daemon writes to the ledger."""
        return any(each.state(self.now) is not ReplicaState.GONE for each in self.replicas)

    def named(self, teams: Mapping[str, str | None] | None = None) -> list[Named]:
        """The models by what a command line may call them, with these teams where the ledger does
        not know one."""
        more = teams or {}
        return [
            Named(
                each.target.model_id,
                each.target.name,
                each.team or more.get(each.target.model_id),
            )
            for each in self.watched
        ]

    def summary(self) -> str:
        """The fleet in one line."""
        if not self.watched:
            return "No model is watched: `baseten-watchdog models` lists those that could be."
        left, allowed = fleet_remaining(self.fleet, self.now), self.fleet.limits
        budget = f"fleet {left.window} of {allowed.max_attempts_per_window} left today"
        observes = "sends nothing" if self.mode == "observe" else ""
        return summary((each.target for each in self.watched), budget, observes, self._api())

    def _api(self) -> str:
        """The state of the API in few words. What a daemon wrote that is gone now does not
        count."""
        if not self.lives:
            return "no daemon" if self.silent is None else "the daemon is silent"
        if self.api.key_accepted is False:
            return "API refuses the key"
        if self.api.up is None:
            return "API not asked yet"
        return "API ok" if self.api.up else "API away"

    def meanings(self, watched: Iterable[Watched]) -> Iterator[str]:
        """The reasons why these models need an operator, each in a sentence."""
        needing = [each.target for each in watched if needs_operator(each.target)]
        reasons = [broken_reason(each) or each.decision.reason for each in needing]
        for reason in dict.fromkeys(each for each in reasons if each is not None):
            yield f"{reason}: {reason.sentence}"

    def notes(self) -> Iterator[str]:
        """What concerns more than one target, a line each."""
        if self.mode == "observe":
            yield (
                "mode: observe: the daemon decides and records, and sends no retry; the attempts "
                "and limits shown are those that it would have used"
            )
        yield from self._obstacles()
        for replica in self.replicas:
            yield _replica_line(replica, self.now)
        if not self.lives and self.silent is None:
            yield "no daemon is running: this is how the last one left it"
        yield from pause_lines(self.pauses)
        if self.opening is not None:
            failing = sum(each.target.health is Health.FAILING for each in self.watched)
            yield (
                f"breaker open since {when_in_zone(self.opening.opened_at)}: "
                f"{self.opening.failures} models had begun to fail at once then, "
                f"{failing} fail now; see `history --fleet`"
            )

    def _obstacles(self) -> Iterator[str]:
        """What keeps all models from being retried or seen."""
        if self.silent is not None:
            yield (
                f"a daemon is running, and has written nothing for {age(self.silent)}: another "
                "process keeps the ledger locked, or its disk does not answer; what is shown here "
                "is as old"
            )
        elif self.lives and self.api.key_accepted is False:
            yield (
                f"the API refuses the key (HTTP {self.api.refused}): nothing is checked or retried "
                "until a valid one is in place"
            )
        elif self.lives and self.api.up is False:
            yield (
                f"the API answers no request ({self.api.failure}): nothing is retried, and what is "
                "shown here may be out of date"
            )
        limits = self.fleet.limits
        room = room_at(self.fleet.charged, limits.max_attempts_per_window, FLEET_DAY, self.now)
        if room is not None:
            yield (
                f"the fleet's {limits.max_attempts_per_window} retries of 24 hours are spent: the "
                f"next one is possible {ahead(room, self.now)}"
            )


def shown(tx: "LedgerTransaction", settings: "Config", words: Collection[str] = ()) -> Shown:
    """`words`: the ids and names that are asked for, also of models that are gone."""
    from watchdog.config import discovered_policies, policies

    found = {} if settings.discovery is None else discovered.load(tx)
    known = {**discovered_policies(settings, found), **policies(settings)}
    targets = overview.targets(tx, known, words)
    return Shown(
        tuple(each for each in targets if not each.is_gone),
        fleet_used(tx, settings.fleet_limits(), date=api_date(tx)),
        tuple(tx.actions.pauses()),
        tx.breaker.opening(),
        tuple(tx.replicas.all()),
        tx.now(),
        api_state.load(tx),
        _silent(tx),
        tx.meta.get(MODE),
        tuple(each for each in targets if each.is_gone),
    )


def _silent(tx: "LedgerTransaction") -> timedelta | None:
    now = tx.now()
    gone = [each for each in tx.replicas.all() if each.state(now) is ReplicaState.GONE]
    waited = {each.id: each.silent_for(now) for each in gone}
    living = [span for owner, span in waited.items() if not tx.knows_dead(owner, span)]
    return min(living, default=None)


def _replica_line(replica: Replica, now: datetime) -> str:
    """A daemon, in one line."""
    state, name = replica.state(now), clean(signature(replica.id))
    gone = state is ReplicaState.GONE
    lived = "" if gone else f"up {age(now - replica.started_at)}, "
    seen = ago(replica.seen_at, now)
    return f"replica {name} {state}: {lived}version {clean(replica.version)}, seen {seen}"
