"""Finds why a deployment failed, as far as its logs and the phases of its start show."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from watchdog.domain.causes import (
    NOTHING,
    PERMANENT,
    Cause,
    Evidence,
    Finding,
    Match,
    Pattern,
    Phase,
    Startup,
    Sureness,
)

_STORY_LINES = 60
"""Only a failure within this many lines before the last match can have led to it. An earlier
failure is taken to be over."""

_BY_PHASE = {
    Phase.SCHEDULING: Cause.CAPACITY,
    Phase.IMAGE_PULL: Cause.PLATFORM,
    Phase.WEIGHT_DOWNLOAD: Cause.NETWORK,
    Phase.CONTAINER_CREATE: Cause.PLATFORM,
    Phase.READINESS: Cause.TIMEOUT,
}
"""The cause by the phase that failed, if the log shows none. CONTAINER_START is not listed: it runs
the model's code, which may fail for every reason."""


_REMARK = re.compile(
    r"(?!.*-stdout MODEL_LOG - |.*\bError, Credentials not correct)"
    r"(.{0,60}?(?<![A-Za-z.])(WARN|WARNING|INFO|DEBUG|NOTICE)(?![A-Za-z])"
    r"|.{0,160}?\b[A-Z]\w+Warning: "
    r"|.{0,120}?\b(level|lvl|severity)\"?[=:] ?\"?(?i:warn|warning|info|debug|notice|trace)\b)"
)
"""A line with a level below an error's: the failure that it mentions may be over. TorchServe gives
the level INFO to everything that a model prints, and pip only warns of a refused password."""


_TELLS_LITTLE = {Cause.TIMEOUT: 0, Cause.NETWORK: 1}
"""Causes that may be how another one was noticed: a registry whose disk is full answers 500."""


@dataclass(frozen=True, slots=True)
class _Found:
    at: int
    line: str
    pattern: Pattern
    sureness: Sureness
    is_remark: bool = False

    @property
    def is_configured(self) -> bool:
        return self.sureness is Sureness.CONFIGURED

    @property
    def is_summary(self) -> bool:
        """The line only says that something failed."""
        return self.pattern.cause is Cause.UNKNOWN and not self.is_configured

    @property
    def is_transient(self) -> bool:
        return self.pattern.cause not in PERMANENT

    @property
    def is_refusal(self) -> bool:
        return self.is_certain_of(Cause.CONFIGURATION)

    def is_certain_of(self, cause: Cause) -> bool:
        return self.pattern.cause is cause and self.sureness is Sureness.CERTAIN

    @property
    def rank(self) -> tuple[Sureness, bool, bool, int, bool, int]:
        """The order of importance: the more certain cause wins. Of two that are equally sure and
        less than CERTAIN, the transient one wins, because one retry too many costs less than a
        retry that is not sent. A match that is not a remark wins over a remark. Otherwise the later
        line wins, and of two matches in one line the one whose cause says more."""
        less = self.sureness < Sureness.CERTAIN
        tells = _TELLS_LITTLE.get(self.pattern.cause, len(_TELLS_LITTLE))
        transient = less and self.is_transient
        return self.sureness, transient, not self.is_remark, self.at, self.is_transient, tells

    @property
    def as_remark(self) -> "_Found":
        return replace(self, sureness=Sureness.HINT, is_remark=True)

    @property
    def finding(self) -> Finding:
        return Finding(self.pattern.cause, self.sureness, self.line, self.pattern.text)


def find_cause(evidence: Evidence, match: Match) -> Finding:
    """The cause of a failure. The last match of a pattern of the configuration is the cause,
    whatever else the log contains. Otherwise it is the last match, unless it may be the result of
    an earlier one: a network error inside an installer is the cause, although the installer then
    reports that the package was not found."""
    found = _not_overcome(evidence.lines, match)
    configured = [each for each in found if each.is_configured]
    if configured:
        return configured[-1].finding
    phase = _by_phase(evidence.startups)
    if not found:
        return phase
    root = _root(found, evidence.lines)
    if root.sureness is Sureness.HINT and phase.cause is Cause.CAPACITY:
        # A deployment that was never scheduled has not run, so the log is about something else.
        return phase
    return root.finding


def _not_overcome(lines: Sequence[str], match: Match) -> list[_Found]:
    """The match of each line, except those that a later line shows to be over. A pattern of the
    configuration stays: no line that we know says that its problem is over."""
    found: list[_Found] = []
    for at, line in enumerate(lines):
        patterns = tuple(match(line))
        overcome = {pattern.cause for pattern in patterns if pattern.overcome}
        if overcome:
            found = [
                each for each in found if each.is_configured or each.pattern.cause not in overcome
            ]
        if best := _best(at, line, [pattern for pattern in patterns if not pattern.overcome]):
            found.append(best)
    return found


def _best(at: int, line: str, patterns: Sequence[Pattern]) -> _Found | None:
    """The most important match of a line, if there is any. A pattern of the configuration counts on
    every line."""
    found = [_Found(at, line, pattern, pattern.sureness) for pattern in patterns]
    if not any(each.is_configured for each in found):
        if _REMARK.match(line):
            found = [each.as_remark for each in found if each.is_transient]
        if any(each.is_summary for each in found):
            found = [each for each in found if each.is_transient and not each.is_summary]
    return max(found, key=lambda each: each.rank, default=None)


def _root(found: Sequence[_Found], lines: Sequence[str]) -> _Found:
    """The match that led to the last match, or the last match itself.

    A certain match is the result of a transient failure only if Python says so, for two exceptions
    in a chain. A likely match may be the result of a transient failure or a refused access shortly
    before it, or repeat a certain match with the same cause. A hint may be the result of any
    earlier match, and that one of another.
    """
    last = found[-1]
    if last.sureness is Sureness.HINT:
        best = max(found, key=lambda each: each.rank)
        hint = best.sureness is Sureness.HINT
        return best if hint else _root(found[: found.index(best) + 1], lines)
    near = [each for each in found[:-1] if last.at - each.at <= _STORY_LINES]
    transient = [each for each in near if each.is_transient]
    if last.sureness is Sureness.CERTAIN:
        if last.is_transient:
            return last
        chained = (each for each in transient if _chained(each, last, lines))
        return max(chained, key=lambda each: each.rank, default=last)
    refused = [] if last.is_transient else [each for each in near if each.is_refusal]
    same = [each for each in near if each.is_certain_of(last.pattern.cause)]
    return max((*transient, *refused, *same, last), key=lambda each: each.rank)


def _chained(first: _Found, last: _Found, lines: Sequence[str]) -> bool:
    if first.is_remark:
        return False
    for line in lines[first.at : last.at]:
        if line.rstrip().endswith(_CHAIN):
            return True
        if line.rstrip().endswith(_TRACEBACK):  # It is another exception's, so `first` was alone.
            return False
    return False


_TRACEBACK = "Traceback (most recent call last):"
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
