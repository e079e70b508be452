"""The queries about what was found out of episodes."""

from sqlalchemy import Connection, insert, select, update

from watchdog.domain.finding import Finding
from watchdog.ledger.schema import episodes, findings


class FindingQueries:
    """The part of a transaction that is about findings."""

    _connection: Connection

    def note_error_lines(self, episode_id: str, lines: tuple[str, ...]) -> None:
        self._note(episode_id, "error_lines", "\n".join(lines))

    def note_actor(self, episode_id: str, actor: str) -> None:
        self._note(episode_id, "actor", actor)

    def findings(self, model_id: str) -> dict[str, Finding]:
        query = (
            select(findings)
            .join(episodes, episodes.c.id == findings.c.episode_id)
            .where(episodes.c.model_id == model_id)
        )
        return {
            row["episode_id"]: Finding(tuple((row["error_lines"] or "").splitlines()), row["actor"])
            for row in self._connection.execute(query).mappings()
        }

    def _note(self, episode_id: str, name: str, value: str) -> None:
        own = findings.c.episode_id == episode_id
        written = self._connection.execute(update(findings).where(own).values({name: value}))
        if not written.rowcount:
            values = {"episode_id": episode_id, name: value}
            self._connection.execute(insert(findings).values(values))
