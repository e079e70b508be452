"""Why a deployment failed, as far as its logs and its start-ups say."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import Self


class Cause(StrEnum):
    """What made a build or a deployment fail. A closed set: it is a label of metrics."""

    sentence: str

    def __new__(cls, value: str, sentence: str = "") -> Self:
        """The default is for `Cause(value)` alone, which finds the member."""
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
"""Those that a retry alone cannot change. One must not be found where a transient one is true."""


class Sureness(IntEnum):
    """How much a pattern says of the cause."""

    HINT = 1
    """What follows from several causes, such as a package that was not found."""

    LIKELY = 2
    """What nearly always has this cause, and sometimes follows from another."""

    CERTAIN = 3
    """What has no other cause."""

    CONFIGURED = 4
    """What the user of this program says of the line."""

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Pattern:
    """One entry of the catalogue. `text` is what people read and write, a regular expression.
    `overcome`: the line says that an earlier failure with that cause was overcome."""

    text: str
    cause: Cause
    sureness: Sureness
    overcome: bool = False


class Phase(StrEnum):
    """Of the start of a deployment, in the words of the API."""

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
    """A cause, how sure it is, and the line and the pattern that say so, if any do. The line is
    untrusted text, and may hold secrets."""

    cause: Cause
    sureness: Sureness = Sureness.HINT
    line: str = ""
    pattern: str = ""


NOTHING = Finding(Cause.UNKNOWN)

Match = Callable[[str], Iterable[Pattern]]
"""Which patterns of the catalogue a line matches."""

_STORY_LINES = 60
"""So many lines before the last one that matches tell what led to it. An earlier failure that is
further away was overcome."""

_BY_PHASE = {
    Phase.SCHEDULING: Cause.CAPACITY,
    Phase.IMAGE_PULL: Cause.PLATFORM,
    Phase.WEIGHT_DOWNLOAD: Cause.NETWORK,
    Phase.CONTAINER_CREATE: Cause.PLATFORM,
    Phase.READINESS: Cause.TIMEOUT,
}
"""What a phase that failed says where the log says nothing. CONTAINER_START runs the model's code,
which fails for every reason."""


_REMARK = re.compile(r"^.{0,60}?(?<![A-Za-z.])(WARN|WARNING|INFO|DEBUG|NOTICE)(?![A-Za-z])")
"""A line with a level below an error's: what it speaks of may have been overcome."""


@dataclass(frozen=True, slots=True)
class _Found:
    at: int
    line: str
    pattern: Pattern
    sureness: Sureness

    @property
    def is_transient(self) -> bool:
        return self.pattern.cause not in PERMANENT

    @property
    def is_refusal(self) -> bool:
        return self.pattern.cause is Cause.CONFIGURATION and self.sureness is Sureness.CERTAIN

    @property
    def rank(self) -> tuple[Sureness, bool, int, bool]:
        """The more certain goes first. Between two that are less than certain, the transient one: a
        retry too many costs less than one that is not sent. Then the later one."""
        less = self.sureness < Sureness.CERTAIN
        return self.sureness, less and self.is_transient, self.at, self.is_transient

    @property
    def finding(self) -> Finding:
        return Finding(self.pattern.cause, self.sureness, self.line, self.pattern.text)


def find_cause(evidence: Evidence, match: Match) -> Finding:
    """The last thing that the log says counts, unless it may only follow from what came before: a
    network error inside an installer is the cause, although the installer then says that the
    package was not found."""
    found = _not_overcome(evidence.lines, match)
    phase = _by_phase(evidence.startups)
    if not found:
        return phase
    root = _root(found, evidence.lines)
    if root.sureness is Sureness.HINT and phase.cause is Cause.CAPACITY:
        # What was never scheduled has not run, so that the log is of something else.
        return phase
    return root.finding


def _not_overcome(lines: Sequence[str], match: Match) -> list[_Found]:
    """What each line says, without what a later one says was overcome."""
    found: list[_Found] = []
    for at, line in enumerate(lines):
        patterns = tuple(match(line))
        overcome = {pattern.cause for pattern in patterns if pattern.overcome}
        if overcome:
            found = [each for each in found if each.pattern.cause not in overcome]
        if best := _best(at, line, [pattern for pattern in patterns if not pattern.overcome]):
            found.append(best)
    return found


def _best(at: int, line: str, patterns: Sequence[Pattern]) -> _Found | None:
    """What a line says, if anything."""
    found = [_Found(at, line, pattern, pattern.sureness) for pattern in patterns]
    if _REMARK.match(line):
        found = [replace(each, sureness=Sureness.HINT) for each in found if each.is_transient]
    return max(found, key=lambda each: each.rank, default=None)


def _root(found: Sequence[_Found], lines: Sequence[str]) -> _Found:
    """What led to the last thing that was found.

    What is certain follows from a transient failure only where Python says so, of two exceptions in
    a chain. What is likely may follow from a transient failure or a refused access shortly before,
    and what is only a hint from anything before.
    """
    last = found[-1]
    if last.sureness is Sureness.HINT:
        return max(found, key=lambda each: each.rank)
    near = [each for each in found[:-1] if last.at - each.at <= _STORY_LINES]
    transient = [each for each in near if each.is_transient]
    if last.sureness >= Sureness.CERTAIN:
        if last.is_transient:
            return last
        chained = (each for each in transient if _chained(each, last, lines))
        return max(chained, key=lambda each: each.rank, default=last)
    refused = [] if last.is_transient else [each for each in near if each.is_refusal]
    return max((*transient, *refused, last), key=lambda each: each.rank)


def _chained(first: _Found, last: _Found, lines: Sequence[str]) -> bool:
    return any(line.strip() in _CHAIN for line in lines[first.at : last.at])


_CHAIN = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)


def _by_phase(startups: Sequence[Startup]) -> Finding:
    failed = [startup for startup in startups if startup.failed]
    if not failed or failed[-1].phase not in _BY_PHASE:
        return NOTHING
    last = failed[-1]
    cause = _BY_PHASE[Phase(last.phase)]
    return Finding(cause, Sureness.HINT, pattern=f"start-up: {last.phase} {last.outcome}")
