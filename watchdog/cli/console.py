"""How commands fail and warn: one line each, on standard error."""

import sys
from typing import NoReturn

EXIT_USAGE = 2
"""Wrong usage or configuration, as for every command."""


def fail(*problems: str) -> NoReturn:
    """Print each problem and end with exit status 2."""
    for problem in problems:
        sys.stderr.write(f"error: {problem}\n")
    raise SystemExit(EXIT_USAGE)


def warn(text: str) -> None:
    sys.stderr.write(f"warning: {text}\n")
