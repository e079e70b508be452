"""Shorter times for the notifications of a real daemon, for which the program itself waits half a
minute or minutes.

Run as a program, it is `python -m watchdog` with these times.
"""

from datetime import timedelta

from watchdog.__main__ import main
from watchdog.domain import outbox
from watchdog.engine.lifecycle import term

LEASE = timedelta(seconds=3)


def shorten() -> None:
    outbox.GATHER = timedelta(seconds=0.5)
    outbox.LONGEST_GATHER = timedelta(seconds=2)
    outbox.LEASE = LEASE
    # The database's clock is stepped by more than a day, and that must not drop anything.
    outbox.KEPT = timedelta(days=365)
    term.SENDING = timedelta(seconds=1)  # type: ignore[attr-defined]


if __name__ == "__main__":
    shorten()
    main()
