"""A home directory in a path."""

import re

_HOME = re.compile(r"~|/~(/|$)")


def check_no_home(path: str) -> None:
    """Raises ValueError for a `~`, which a shell would replace. Here it is not: which directory it
    is would depend on the user, and two users of one configuration must mean the same files."""
    if _HOME.match(path):
        raise ValueError("a ~ is not replaced by a home directory: write the whole path")
