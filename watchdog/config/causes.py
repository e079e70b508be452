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
    """Finds the patterns that a line matches, all at once and in time that grows with the line's
    length alone."""

    def __init__(self, own: Iterable[tuple[str, Cause]] = ()) -> None:
        """`own` are the patterns and causes of the configuration, which has checked them with
        `regular_expression`."""
        self._patterns = [Pattern(text, cause, Sureness.CONFIGURED) for text, cause in own]
        self._unless = {}
        for entry in shipped():
            if entry.unless is not None:
                self._unless[len(self._patterns)] = re2.compile(entry.unless, _OPTIONS)
            self._patterns.append(entry.of_domain)
        self._set = re2.Set.SearchSet(_OPTIONS)
        for pattern in self._patterns:
            self._set.Add(pattern.text)
        self._set.Compile()

    def __call__(self, line: str) -> Sequence[Pattern]:
        matched = self._set.Match(line) or ()
        return [self._patterns[at] for at in matched if not self._left_out(at, line)]

    def _left_out(self, at: int, line: str) -> bool:
        unless = self._unless.get(at)
        return unless is not None and unless.search(line) is not None


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
