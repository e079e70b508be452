"""The queries about what was found out about episodes."""

from sqlalchemy import Connection, select

from watchdog.domain.episode_notes import EpisodeNotes
from watchdog.ledger.schema import episodes, findings
from watchdog.ledger.upsert import upsert


class FindingQueries:
    """See `ports.FindingRows`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def note_error_lines(self, episode_id: str, lines: tuple[str, ...]) -> None:
        values = {"episode_id": episode_id, "error_lines": "\n".join(lines)}
        upsert(self._connection, findings, values)

    def note_actor(self, episode_id: str, actor: str) -> None:
        upsert(self._connection, findings, {"episode_id": episode_id, "actor": actor})

    def of(self, model_id: str) -> dict[str, EpisodeNotes]:
        query = (
            select(findings)
            .join(episodes, episodes.c.id == findings.c.episode_id)
            .where(episodes.c.model_id == model_id)
        )
        return {
            row["episode_id"]: EpisodeNotes(
                tuple((row["error_lines"] or "").splitlines()), row["actor"]
            )
            for row in self._connection.execute(query).mappings()
        }
