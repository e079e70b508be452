"""Writes the heartbeat of this replica and the models that it watches, and follows what the other
replicas do."""

from collections.abc import Callable, Mapping

from watchdog.domain.replica import Replica
from watchdog.engine.fleet.api_state import ApiState
from watchdog.engine.fleet.api_state import save as save_api_state
from watchdog.engine.fleet.condition import Condition
from watchdog.engine.lifecycle.watchlist import remove_unwanted
from watchdog.engine.ports import (
    Clock,
    Ledger,
    LedgerTransaction,
    LedgerUnavailable,
    Listener,
)
from watchdog.engine.settings import LiveSettings, Model
from watchdog.engine.target.recorded import Recorded
from watchdog.engine.target.telling import tell

_AGAIN_SECONDS = 5
"""The wait for the next heartbeat after the ledger did not take one. It is less than
`ledger_watch._QUIET_SECONDS`: if nothing else is written to a full disk, the outage must not seem
to be over before the next try."""


class Presence:
    """One replica's row in the ledger."""

    def __init__(
        self,
        ledger: Ledger,
        live: LiveSettings,
        clock: Clock,
        listener: Listener,
        *,
        version: str,
        condition: Condition,
        is_active: Callable[[], bool],
    ) -> None:
        self._ledger = ledger
        self._live = live
        self._clock = clock
        self._due_at = clock.monotonic()
        self._listener = listener
        self._version = version
        self._condition = condition
        self._is_active = is_active
        # As the ledger has them, once it does.
        self._own: Replica | None = None
        self._models: Mapping[str, Model] | None = None
        self._newly_configured = True
        self._api_state: ApiState | None = None
        self._tried: ApiState | None = None  # as the last heartbeat tried to write it

    @property
    def is_due(self) -> bool:
        """Whether a heartbeat is due: at the start, after each interval, when what it says of the
        API has changed, and soon again if the ledger did not take one."""
        changed = self._is_active() and self._condition.api_state != self._tried
        return changed or self._clock.monotonic() >= self._due_at

    async def beat(self, *, watching: bool) -> None:
        """Write the heartbeat, if the ledger answers. The active replica also writes the API's
        state if it has changed, and removes targets that no living replica is configured with."""
        settings, active = self._live.current, self._is_active()
        api_state = self._tried = self._condition.api_state if active else None

        def write(tx: LedgerTransaction) -> tuple[Replica, list[Recorded]]:
            own = self._save(tx, settings.owner, settings.models, active=active)
            if api_state is not None and api_state != self._api_state:
                save_api_state(tx, api_state)
            unwanted = active and watching
            return own, remove_unwanted(tx, settings) if unwanted else []

        try:
            own, gone = await self._ledger.transact(write)
        except LedgerUnavailable:
            self._due_at = self._clock.monotonic() + _AGAIN_SECONDS
            return
        self._due_at = self._clock.monotonic() + self._ledger.heartbeat.total_seconds()
        self._own, self._models, self._api_state = own, settings.models, api_state
        self._newly_configured = False
        for recorded in gone:
            tell(recorded, settings, self._listener)

    def configured(self) -> None:
        """Note that another configuration was put in force. The next heartbeat says so."""
        self._newly_configured = True

    async def leave(self) -> None:
        """Delete the row of this replica, because its process ends. If the ledger does not answer,
        the others notice that the heartbeats stop."""
        own = self._own
        if own is None:
            return
        try:
            await self._ledger.transact(lambda tx: tx.replicas.remove(own.id))
        except LedgerUnavailable:
            return

    def _save(
        self, tx: LedgerTransaction, owner: str, models: Mapping[str, Model], *, active: bool
    ) -> Replica:
        now, before, known = tx.now(), self._own, tx.replicas.all()
        if before is None:
            for each in known:
                if tx.knows_dead(each.id, each.silent_for(now)):
                    tx.replicas.remove(each.id)
        # Another replica may have taken this one for dead and deleted its row.
        if models is not self._models or all(each.id != owner for each in known):
            tx.replicas.configure(owner, models)
        own = Replica(
            id=owner,
            version=self._version,
            started_at=before.started_at if before is not None else now,
            configured_at=(
                now if before is None or self._newly_configured else before.configured_at
            ),
            seen_at=now,
            active=active,
        )
        tx.replicas.save(own)
        return own
