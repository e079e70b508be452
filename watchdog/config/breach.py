"""A rule that settings break together."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Breach:
    """`path` is the setting to change, `others` are the settings that it conflicts with."""

    path: str
    text: str
    others: tuple[str, ...] = ()
