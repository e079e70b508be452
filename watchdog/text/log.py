"""The lines of a log, as the tools that wrote them meant them."""

import json
import re
from collections.abc import Iterator
from typing import Any

from watchdog.text.untrusted import clean

LAST_LINES = 500
"""The end of a log says why something failed; a problem before that was overcome."""

_MOST_CHARACTERS = 2000
"""The most characters of a line. It is high because some tools first write what they tried, and
then what failed."""

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]")
"""Colours, moves of the cursor and titles, by ECMA-48."""


_BELOW_ERROR = re.compile(
    r"\"(level|lvl|severity|levelname)\": \"(?i:warn|info|debug|notice|trace)"
)


def log_lines(text: str, secret: str = "") -> tuple[str, ...]:
    """The last lines that say anything, oldest first: without colours, without what a progress bar
    wrote over, and each line of a text in JSON by itself. `secret` is masked."""
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    said = [line for line in lines if line.strip()][-LAST_LINES:]
    unfolded = [part for line in said for part in _unfolded(line) if part.strip()]
    return tuple(
        clean(_ESCAPE.sub("", line).rstrip(), secret, most=_MOST_CHARACTERS)
        for line in unfolded[-LAST_LINES:]
    )


def _unfolded(line: str) -> Iterator[str]:
    """A record in JSON may have a whole traceback in a field, whose last line says what was wrong.
    That of a warning stays in its line, which has the level."""
    begin = line.find("{")
    if begin < 0 or "\\n" not in line:
        yield line
        return
    texts: list[str] = []
    try:
        record = json.loads(line[begin:])
        rest = json.dumps(_without_texts(record, texts), ensure_ascii=False)
    except (ValueError, RecursionError):
        yield line
        return
    if not texts or _BELOW_ERROR.search(rest):
        yield line
        return
    yield line[:begin] + rest
    for text in texts:
        yield from text.splitlines()


def _without_texts(value: Any, texts: list[str]) -> Any:
    """The value without its strings of several lines, which are added to `texts`."""
    if not isinstance(value, dict):
        return value
    rest = {}
    for key, each in value.items():
        if isinstance(each, str) and "\n" in each:
            texts.append(each)
        else:
            rest[key] = _without_texts(each, texts)
    return rest
