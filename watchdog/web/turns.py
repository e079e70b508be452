"""Leaves most of the time to the checks, however many clients ask for pages."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

_REST = 4
"""After a page that took t seconds to make, no page is made for 4 * t seconds, so that pages take
at most a fifth of the time. A thread that computes slows the loop by much more than its share of a
core, because the loop waits for Python's lock after each system call."""

_LONGEST_REST_SECONDS = 1.0
"""A page that took long mostly waited for the ledger, which costs the checks nothing."""

_MOST_UNDER_WAY = 16
"""Requests for pages at once: a quarter of the connections."""


class Busy(Exception):
    """So many requests for pages are under way that one more would wait too long."""


class Turns:
    """One turn at a time, with a rest after each."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._under_way = 0
        self._rested_at = 0.0

    @contextmanager
    def place(self) -> Iterator[None]:
        """One of the requests that may be under way. Raises Busy."""
        if self._under_way >= _MOST_UNDER_WAY:
            raise Busy
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def take(self, work: Callable[[], Awaitable[T]]) -> T:
        """Wait for a turn, and do the work in it."""
        time = asyncio.get_running_loop().time
        async with self._turn:
            await asyncio.sleep(self._rested_at - time())
            began = time()
            try:
                return await work()
            finally:
                rest = min(_REST * (time() - began), _LONGEST_REST_SECONDS)
                self._rested_at = time() + rest
