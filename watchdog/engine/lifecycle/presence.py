"""Writes the heartbeat of this replica and the models that it watches, and follows what the other
replicas do."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from watchdog.domain.replica import Replica
from watchdog.engine.lifecycle.watchlist import remove_unwanted
from watchdog.engine.ports import Ledger, LedgerTransaction, LedgerUnavailable, Listener
from watchdog.engine.settings import LiveSettings, Model
from watchdog.engine.target.telling import tell
from watchdog.engine.target.written import Recorded

HEARTBEAT = timedelta(seconds=10)
"""Often enough that two may be missed before a replica counts as gone: `limits.RESERVATION_TTL`."""


class Presence:
    """One replica's row in the ledger."""

    def __init__(
        self,
        ledger: Ledger,
        live: LiveSettings,
        listener: Listener,
        *,
        version: str,
        is_active: Callable[[], bool],
    ) -> None:
        self._ledger = ledger
        self._live = live
        self._listener = listener
        self._version = version
        self._is_active = is_active
        # As the ledger has them, once it does.
        self._own: Replica | None = None
        self._models: Mapping[str, Model] | None = None

    async def tick(self, *, watching: bool) -> None:
        """Write the heartbeat. If the ledger does not answer, the next tick is soon enough. The
        active replica also removes targets that no replica is configured with any more."""
        settings, active = self._live.current, self._is_active()

        def beat(tx: LedgerTransaction) -> tuple[Replica, list[Recorded]]:
            own = self._save(tx, settings.owner, settings.models, active=active)
            unwanted = active and watching
            return own, remove_unwanted(tx, settings) if unwanted else []

        try:
            own, gone = await self._ledger.transact(beat)
        except LedgerUnavailable:
            return
        self._own, self._models = own, settings.models
        for recorded in gone:
            tell(recorded, settings, self._listener)

    async def leave(self) -> None:
        """It ends. Where the ledger does not answer, the others find out by themselves."""
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
        # Another one may have taken this one for dead, and forgotten it.
        if models is not self._models or all(each.id != owner for each in known):
            tx.replicas.configure(owner, models)
        own = Replica(
            id=owner,
            version=self._version,
            started_at=before.started_at if before is not None else now,
            configured_at=(
                before.configured_at if before is not None and models is self._models else now
            ),
            seen_at=now,
            active=active,
        )
        tx.replicas.save(own)
        return own
