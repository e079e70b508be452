"""The result of one of `doctor`'s checks."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    GOOD = "ok"
    BAD = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class DoctorResult:
    """One thing that `doctor` checked. `remedy` says what to do when it is not in order."""

    name: str
    verdict: Verdict
    text: str
    remedy: str = ""
