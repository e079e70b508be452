"""The queries about episodes."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from watchdog.domain.causes import Cause, Explanation
from watchdog.domain.records import DeploymentRef, Episode, EpisodeResult, Target
from watchdog.ledger.rows import Row
from watchdog.ledger.schema import episodes
from watchdog.ledger.upsert import upsert


def episode_values(episode: Episode) -> dict[str, Any]:
    found = episode.explanation
    return {
        "id": episode.id,
        "model_id": episode.model_id,
        "deployment_id": episode.deployment.id,
        "deployment_created_at": episode.deployment.created_at,
        "status": episode.status,
        "opened_at": episode.opened_at,
        "failing_from": episode.failing_from,
        "standing": episode.standing,
        "ended_at": episode.ended_at,
        "result": episode.result,
        "cause": found and found.cause,
        "cause_mark": found and found.mark,
        "cause_at": found and found.at,
        "cause_proven": found and found.proven,
    }


def to_episode(row: Row) -> Episode:
    return Episode(
        id=row["id"],
        model_id=row["model_id"],
        deployment=DeploymentRef(row["deployment_id"], row["deployment_created_at"]),
        status=row["status"],
        opened_at=row["opened_at"],
        failing_from=row["failing_from"],
        standing=row["standing"],
        ended_at=row["ended_at"],
        result=None if row["result"] is None else EpisodeResult(row["result"]),
        explanation=_explanation(row),
    )


def _explanation(row: Row) -> Explanation | None:
    if row["cause"] is None:
        return None
    # A program of a newer schema may know more causes.
    known = Cause(row["cause"]) if row["cause"] in set(Cause) else Cause.UNKNOWN
    return Explanation(known, row["cause_mark"], row["cause_at"], proven=row["cause_proven"])


class EpisodeQueries:
    """See `ports.EpisodeRows`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def save(self, episode: Episode) -> None:
        upsert(self._connection, episodes, episode_values(episode))

    def save_of(self, changed: Sequence[Target]) -> None:
        own = [each.episode for each in changed if each.episode is not None]
        upsert(self._connection, episodes, *map(episode_values, own))

    def newest(self, model_id: str | None, *, limit: int) -> list[Episode]:
        query = select(episodes).order_by(episodes.c.opened_at.desc()).limit(limit)
        if model_id is not None:
            query = query.where(episodes.c.model_id == model_id)
        return [to_episode(row) for row in self._connection.execute(query).mappings()]
