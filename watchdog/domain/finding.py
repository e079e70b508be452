"""What was found out about an episode, beside what the watchdog saw itself."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`error_lines` are the last ones of the failed deployment's logs: untrusted, and they may hold
    secrets of the model. `actor` is who ended the episode, and by what."""

    error_lines: tuple[str, ...] = ()
    actor: str | None = None
