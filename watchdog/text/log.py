"""The lines of a log, as the tools that wrote them meant them."""

import re

from watchdog.text.untrusted import clean

LAST_LINES = 500
"""The end of a log says why something failed; what comes before it was overcome."""

_MOST_CHARACTERS = 2000
"""Of a line: some tools write what they tried before they say what failed."""

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]")
"""Colours, moves of the cursor and titles, by ECMA-48."""


def log_lines(text: str, secret: str = "") -> tuple[str, ...]:
    """The last lines that say anything, oldest first: without colours, and without what a progress
    bar wrote over. `secret` is masked."""
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    said = [line for line in lines if line.strip()]
    return tuple(
        clean(_ESCAPE.sub("", line).rstrip(), secret, most=_MOST_CHARACTERS)
        for line in said[-LAST_LINES:]
    )
