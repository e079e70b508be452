"""Random numbers that depend only on what they are for.

Every number is a hash of the seed, the world and a name, such as "the third deploy of model 7". So
all policies are tried on the same world, whatever they do in it.
"""

import hashlib
import math
from dataclasses import dataclass
from datetime import timedelta
from statistics import NormalDist

_NORMAL = NormalDist()
_SECOND = timedelta(seconds=1)
_Z95 = _NORMAL.inv_cdf(0.95)

LONGEST = timedelta(days=3650)
"""Longer than any simulation lasts."""


@dataclass(frozen=True, slots=True)
class Times:
    """A distribution of durations: log-normal, with this median and this 95th percentile. If both
    are equal, every duration has this value."""

    median: timedelta
    p95: timedelta


class Draws:
    """The random numbers of one world."""

    def __init__(self, seed: int, world: int) -> None:
        self._key = f"{seed}/{world}/"

    def share(self, name: str) -> float:
        """A number in [0, 1)."""
        digest = hashlib.blake2b((self._key + name).encode(), digest_size=6).digest()
        return int.from_bytes(digest) / 2**48

    def duration(self, times: Times, name: str) -> timedelta:
        if times.median == times.p95:
            return times.median
        wide = math.log(times.p95 / times.median) / _Z95
        # The middle of one of 2**48 equal parts: the normal distribution has no value at 0.
        place = _NORMAL.inv_cdf(self.share(name) + 2**-49)
        return timedelta(
            seconds=min(LONGEST / _SECOND, times.median / _SECOND * math.exp(wide * place))
        )

    def gap(self, mean: timedelta, name: str) -> timedelta:
        """The time until the next event, if these happen independently of each other."""
        return mean * -math.log(1 - self.share(name))
