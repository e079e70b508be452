"""The catalogue that maps lines of a log to causes: the program's own entries and those of the
configuration."""

from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Literal

import re2
import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from watchdog.domain.causes import Cause, Pattern, Sureness

_OPTIONS = re2.Options()
_OPTIONS.case_sensitive = False
_OPTIONS.never_capture = True
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 32 << 20


class Entry(BaseModel):
    """One entry of the catalogue that comes with the program. Lines that also match `unless` do not
    count. `overcome`: a match means that an earlier failure with that cause did not matter in the
    end."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: str
    unless: str | None = None
    cause: Cause
    sure: Literal["hint", "likely", "certain"] = "certain"
    overcome: bool = False
    example: str
    near_misses: tuple[str, ...] = Field(alias="not")
    source: str

    @property
    def of_domain(self) -> Pattern:
        return Pattern(self.pattern, self.cause, Sureness[self.sure.upper()], self.overcome)


class Catalogue:
    """Finds the patterns that a line matches, in time that grows with the line's length alone. All
    patterns with the same cause are matched at once. The patterns of all causes together would need
    more states than RE2 keeps, and would be slow."""

    def __init__(self, own: Iterable[tuple[str, Cause]] = ()) -> None:
        """`own` are the patterns and causes of the configuration, which has checked them with
        `regular_expression`."""
        configured = [Pattern(text, cause, Sureness.CONFIGURED) for text, cause in own]
        rules = [_Rule(pattern) for pattern in configured]
        rules += [_Rule(entry.of_domain, entry.unless) for entry in shipped()]
        self._groups = [
            _Group([rule for rule in rules if rule.pattern.cause is cause]) for cause in Cause
        ]

    def __call__(self, line: str) -> Sequence[Pattern]:
        return [pattern for group in self._groups for pattern in group.matching(line)]


class _Rule:
    """A pattern, and which lines do not count although they match it."""

    def __init__(self, pattern: Pattern, unless: str | None = None) -> None:
        self.pattern = pattern
        self._unless = None if unless is None else re2.compile(unless, _OPTIONS)

    def counts(self, line: str) -> bool:
        return self._unless is None or self._unless.search(line) is None


class _Group:
    """Patterns that are matched at once."""

    def __init__(self, rules: Sequence[_Rule]) -> None:
        self._rules = rules
        self._set = re2.Set.SearchSet(_OPTIONS)
        for rule in rules:
            self._set.Add(rule.pattern.text)
        self._set.Compile()

    def matching(self, line: str) -> Sequence[Pattern]:
        matched = [self._rules[at] for at in self._set.Match(line) or ()]
        return [rule.pattern for rule in matched if rule.counts(line)]


def regular_expression(text: str) -> str:
    """Returns the pattern unchanged. Raises ValueError if it is not a regular expression of RE2."""
    try:
        re2.compile(text, _OPTIONS)
    except re2.error as error:
        reason = error.args[0]
        said = reason.decode() if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"is not a regular expression (RE2 syntax): {said}") from None
    return text


@cache
def shipped() -> tuple[Entry, ...]:
    """The entries of `causes.yaml`."""
    text = files("watchdog").joinpath("causes.yaml").read_text("utf-8")
    return TypeAdapter(tuple[Entry, ...]).validate_python(yaml.safe_load(text))
