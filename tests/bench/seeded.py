"""Ledgers as they are after some time: every target known and healthy, some with a history."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock

from sqlalchemy import insert, make_url

from tests.bench.server import CREATED_AT
from watchdog.clock import SystemClock
from watchdog.config import load_config
from watchdog.domain.records import (
    Attempt,
    DeploymentRef,
    Episode,
    EpisodeResult,
    Health,
    Outcome,
    Resolution,
    Target,
)
from watchdog.engine.ports import LedgerTransaction
from watchdog.ledger import Role, SqlLedger
from watchdog.ledger.attempt_values import attempt_values
from watchdog.ledger.episode_rows import episode_values
from watchdog.ledger.schema import attempts, episodes
from watchdog.ledger.sqlite_file import make_engine

_HISTORY = timedelta(days=20)

_ONE_AT_A_TIME = Lock()
"""Alembic, which makes the tables, keeps its context in one global variable."""


def seed(config: Path, ids: Sequence[str], *, spread: timedelta, past: int = 0) -> None:
    """Write the ledger of a configuration: the targets' checks are due over a span from now on,
    and each of `past` ended episodes had one attempt."""
    settings = load_config(config).config
    now = datetime.now(UTC)

    def add(tx: LedgerTransaction) -> None:
        for number, model_id in enumerate(ids):
            tx.targets.add(_well(model_id, now, now + spread * (number / len(ids))))

    async def run() -> None:
        ledger = SqlLedger.open(
            settings.store.url,
            clock=SystemClock(),
            base_url=settings.baseten.base_url,
            role=Role.DAEMON,
        )
        try:
            await ledger.transact(add)
        finally:
            await ledger.close()

    with _ONE_AT_A_TIME:
        asyncio.run(run())
        _add_history(settings.store.url, ids, past, now)


def _well(model_id: str, now: datetime, due: datetime) -> Target:
    return Target(
        model_id=model_id,
        status="ACTIVE",
        health=Health.HEALTHY,
        deployment=DeploymentRef(f"d-{model_id}", CREATED_AT),
        status_since=now - timedelta(days=1),
        observed_at=now - timedelta(minutes=1),
        observed_twice=True,
        next_check_at=due,
    )


def _add_history(url: str, ids: Sequence[str], count: int, now: datetime) -> None:
    """Older than the last day, which the limits cover: otherwise they would be used up."""
    past = [
        _episode(
            number, ids[number % len(ids)], now - timedelta(days=2) - _HISTORY * number / count
        )
        for number in range(count)
    ]
    if not past:
        return
    engine = make_engine(make_url(url), read_only=False)
    with engine.begin() as connection:
        connection.execute(insert(episodes), [episode_values(episode) for episode in past])
        connection.execute(insert(attempts), [attempt_values(_attempt(each)) for each in past])
    engine.dispose()


def _episode(number: int, model_id: str, at: datetime) -> Episode:
    return Episode(
        id=f"e{number}",
        model_id=model_id,
        deployment=DeploymentRef(f"d-{model_id}", CREATED_AT),
        status="BUILD_FAILED",
        opened_at=at,
        failing_from=at,
        ended_at=at + timedelta(minutes=10),
        result=EpisodeResult.RECOVERED,
    )


def _attempt(episode: Episode) -> Attempt:
    return Attempt(
        id=f"a-{episode.id}",
        model_id=episode.model_id,
        episode_id=episode.id,
        number=1,
        owner="daemon:before",
        reserved_at=episode.opened_at,
        outcome=Outcome.ACCEPTED,
        sent_at=episode.opened_at,
        answered_at=episode.opened_at,
        resolution=Resolution.RECOVERED,
        resolved_at=episode.ended_at,
    )
