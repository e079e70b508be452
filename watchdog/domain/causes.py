"""The words for why a deployment failed: causes, patterns, evidence and findings."""

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Self


class Cause(StrEnum):
    """What made a build or a deployment fail. The set is closed: it is a label of metrics."""

    sentence: str

    def __new__(cls, value: str, sentence: str = "") -> Self:
        """The default of `sentence` is needed only for `Cause(value)`, which finds the member."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member

    DEPENDENCY = "dependency", "A package, an image or a file does not exist, or conflicts."
    USER_CODE = "user_code", "The model's own code raised an exception or cannot be imported."
    CONFIGURATION = "configuration", "A setting, a secret or a permission is wrong or missing."
    MEMORY = "memory", "The memory of the machine or of its GPU was not enough."
    CAPACITY = "capacity", "No machine of the wanted kind was free, or a quota is used up."
    NETWORK = "network", "A download failed: a time-out, a lost connection, a rate limit or DNS."
    PLATFORM = "platform", "The builder, the registry or the machine failed by itself."
    TIMEOUT = "timeout", "It was not ready in its time, and nothing says why."
    UNKNOWN = "unknown", "Nothing in the evidence says why."


PERMANENT = frozenset({Cause.DEPENDENCY, Cause.USER_CODE, Cause.CONFIGURATION})
"""The causes that a retry alone cannot remove. A pattern with one of them must not match if the
true cause is transient."""


class Sureness(IntEnum):
    """How certain the cause is when a pattern matches."""

    HINT = 1
    """The line can follow from several causes, for example when a package was not found."""

    LIKELY = 2
    """The line nearly always has this cause, and sometimes another."""

    CERTAIN = 3
    """The line has no other cause."""

    CONFIGURED = 4
    """The configuration says which cause the line has."""

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Pattern:
    """One entry of the catalogue. `text` is the regular expression as it is written. `overcome`:
    the line shows that an earlier failure with this cause is over, for example because a second try
    succeeded."""

    text: str
    cause: Cause
    sureness: Sureness
    overcome: bool = False


class Phase(StrEnum):
    """A phase of a deployment's start, in the words of the API."""

    SCHEDULING = "SCHEDULING"
    IMAGE_PULL = "IMAGE_PULL"
    WEIGHT_DOWNLOAD = "WEIGHT_DOWNLOAD"
    CONTAINER_CREATE = "CONTAINER_CREATE"
    CONTAINER_START = "CONTAINER_START"
    READINESS = "READINESS"


@dataclass(frozen=True, slots=True)
class Startup:
    """How a phase of one start ended: with SUCCESS, FAILED, STALLED, or another word."""

    phase: str
    outcome: str

    @property
    def failed(self) -> bool:
        return self.outcome in ("FAILED", "STALLED")


@dataclass(frozen=True, slots=True)
class Evidence:
    """The last lines of the log since the present build or deployment began, oldest first, and the
    phases of its start, oldest first."""

    lines: tuple[str, ...] = ()
    startups: tuple[Startup, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause, how certain it is, and the line and the pattern that show it, if there are any. The
    line is untrusted text, and may contain secrets."""

    cause: Cause
    sureness: Sureness = Sureness.HINT
    line: str = ""
    pattern: str = ""

    @property
    def mark(self) -> str:
        """The same for the same line, although its times and ids differ. It reveals nothing of the
        line."""
        said = _VARYING.sub("#", self.line.lower()) or self.pattern
        return hashlib.sha256(f"{self.cause}:{said}".encode()).hexdigest()[:16]


_VARYING = re.compile(r"[0-9a-f]{8}[0-9a-f-]*|\d+")
"""What differs between two runs: numbers, times, and ids in hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The cause of a failure, as it is kept with its episode. `at` is when the reading of its
    evidence was requested. `proven`: after a retry the deployment failed again with the same cause
    and the same line."""

    cause: Cause
    mark: str
    at: datetime
    proven: bool = False


NOTHING = Finding(Cause.UNKNOWN)

Match = Callable[[str], Iterable[Pattern]]
"""Which patterns of the catalogue a line matches."""
