"""How many files and sockets this process may have open at once."""

import resource
from contextlib import suppress

_UNLIMITED = 1_000_000
"""More than any process here needs; a system may say that there is no limit."""


def raise_limit() -> int:
    """Raise the soft limit to the hard one, which any process may do, and return the limit that
    holds now."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS refuses a soft limit without end.
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else _UNLIMITED
