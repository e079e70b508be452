"""What one look of `doctor` found."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    GOOD = "ok"
    BAD = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """One thing that was looked at. `remedy` is what to do where it is not good."""

    name: str
    verdict: Verdict
    text: str
    remedy: str = ""
