"""What the ledger stores about episodes."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from watchdog.domain.episode_notes import EpisodeNotes
from watchdog.domain.records import Episode


class EpisodeRows(Protocol):
    """The episodes, the closed ones included."""

    def save(self, episode: Episode) -> None:
        """Write an episode that its target no longer refers to."""

    def newest(self, model_id: str | None, *, limit: int) -> Sequence[Episode]:
        """Newest first."""


class FindingRows(Protocol):
    """What was found out about episodes."""

    def note_error_lines(self, episode_id: str, lines: tuple[str, ...]) -> None: ...

    def note_actor(self, episode_id: str, actor: str) -> None: ...

    def of(self, model_id: str) -> Mapping[str, EpisodeNotes]:
        """The findings of a model's episodes, by episode id."""
