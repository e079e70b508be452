"""Reads from the API why a deployment failed: its log and its starts."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from watchdog.domain.cause_rules import LONGEST_WAIT_FOR_CAUSE, began_at
from watchdog.domain.causes import Evidence, Finding
from watchdog.domain.limits import of_episode
from watchdog.domain.records import Episode
from watchdog.engine.ports import ApiError, BasetenApi, LedgerTransaction
from watchdog.engine.settings import Settings

T = TypeVar("T")

LONGEST_SPAN = timedelta(days=7)
"""How far back the API gives logs at once. A failure may be seen long after it happened."""

KEPT_LINES = 20
"""As many lines as fit on a screen: enough for the end of a traceback."""


async def read_evidence(
    api: BasetenApi, episode: Episode, *, since: datetime, until: datetime
) -> Evidence:
    """What the API tells within the time that a retry may wait for it. Each part is optional."""
    model_id, deployment_id = episode.model_id, episode.deployment.id
    lines, startups = await asyncio.gather(
        _told(api.log_lines(model_id, deployment_id, since=since, until=until)),
        _told(api.startups(model_id, deployment_id, since=since, until=until)),
    )
    return Evidence(lines, startups)


async def _told(reading: Awaitable[Sequence[T]]) -> tuple[T, ...]:
    """What was read; nothing if the API did not tell it in time."""
    try:
        async with asyncio.timeout(LONGEST_WAIT_FOR_CAUSE.total_seconds()):
            return tuple(await reading)
    except (ApiError, TimeoutError):
        return ()


def since_when(
    tx: LedgerTransaction, settings: Settings, episode: Episode, at: datetime
) -> datetime:
    """When the build or the deployment that failed began. If the ledger does not show it, when the
    deployment was pushed."""
    earliest, target = at - LONGEST_SPAN, tx.targets.get(episode.model_id)
    began: datetime | None = None
    if target is not None and target.episode is not None and target.episode.id == episode.id:
        changes = tx.statuses.since(earliest, episode.model_id)
        attempts = of_episode(target, tx.attempts.of(target, since=at))
        failing_since = target.failing_since or episode.failing_from
        began = began_at(changes, attempts, failing_since, settings.timing.longest_gap)
    return min(max(began or episode.deployment.created_at, earliest), at)


def kept_lines(evidence: Evidence, finding: Finding) -> tuple[str, ...]:
    """The last lines of the log, for the history. If the line that shows the cause is not among
    them, it takes the place of the first."""
    last = evidence.lines[-KEPT_LINES:]
    return (finding.line, *last[1:]) if finding.line and finding.line not in last else last
