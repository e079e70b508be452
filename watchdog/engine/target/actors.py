"""Finds out from the API's audit log who ended an episode, and whether a change that was taken for
the effect of our attempt was somebody else's push."""

from datetime import datetime

from watchdog.domain.records import Attempt, Episode, Target
from watchdog.engine.ports import Act, ActEvent, BasetenApi, Ledger, Listener
from watchdog.engine.settings import LiveSettings
from watchdog.engine.target.evidence import LONGEST_SPAN
from watchdog.engine.target.record import record_push
from watchdog.engine.target.telling import tell

_WORDS: dict[str, str] = {
    ActEvent.PUSHED: "pushed",
    ActEvent.PROMOTED: "promoted",
    ActEvent.RETRIED: "retried",
    ActEvent.ACTIVATED: "activated",
    ActEvent.DEACTIVATED: "deactivated",
    ActEvent.DELETED: "deleted",
}
"""The acts of others that may end an episode, in our words."""


class Actors:
    """Each method raises ApiError and LedgerUnavailable."""

    def __init__(
        self, api: BasetenApi, ledger: Ledger, listener: Listener, live: LiveSettings
    ) -> None:
        self._api = api
        self._ledger = ledger
        self._listener = listener
        self._live = live

    async def note(self, at: datetime, episode: Episode, target: Target) -> None:
        """Record who ended an episode."""
        acts = await self._acts(episode, target, episode.opened_at, at)
        if acts:
            actor = f"{_WORDS[acts[-1].event]} by {acts[-1].actor}"
            await self._ledger.transact(lambda tx: tx.findings.note_actor(episode.id, actor))

    async def end_if_pushed(
        self, at: datetime, episode: Episode, target: Target, attempt: Attempt
    ) -> None:
        """End the episode if the audit log shows that the change which was taken for the effect of
        an attempt was a push or a promotion by somebody else. Other entries prove nothing: a retry
        in the log may be our own."""
        acts = await self._acts(episode, target, attempt.sent_at or attempt.reserved_at, at)
        if not any(act.event in (ActEvent.PUSHED, ActEvent.PROMOTED) for act in acts):
            return
        settings = self._live.current
        recorded = await self._ledger.transact(lambda tx: record_push(tx, settings, episode))
        if recorded is not None:
            tell(recorded, settings, self._listener)

    async def _acts(
        self, episode: Episode, target: Target, since: datetime, until: datetime
    ) -> list[Act]:
        """The acts of others in that time that may have changed the deployment, oldest first."""
        ids = {episode.deployment.id, *([target.deployment.id] if target.deployment else [])}
        if not self._live.current.diagnose:
            return []
        acts = await self._api.acts(
            episode.model_id, sorted(ids), since=max(since, until - LONGEST_SPAN)
        )
        known = [
            act
            for act in acts
            if act.event in _WORDS and not act.own and act.at <= until
            # An API that does not know the filter returns acts on other deployments too.
            if act.deployment_id is None or act.deployment_id in ids
        ]
        return sorted(known, key=lambda act: act.at)
