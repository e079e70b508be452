"""What was found out about an episode from logs and the audit log, in addition to the statuses."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EpisodeNotes:
    """`error_lines` are the last ones of the failed deployment's logs. They are untrusted, and may
    contain secrets of the model. `actor` says who ended the episode, and by which action."""

    error_lines: tuple[str, ...] = ()
    actor: str | None = None
