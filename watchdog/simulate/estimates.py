"""Means over several worlds, with confidence intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

FEWEST_WORLDS = 20
"""Of fewer worlds with a value no interval is given: it would be wide, and itself uncertain."""

_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, which is not a number if no world has a value, and half the width of its 95 %
    confidence interval; None from too few worlds."""

    mean: float
    within: float | None = None

    @property
    def is_known(self) -> bool:
        return not math.isnan(self.mean)

    @property
    def is_clear(self) -> bool:
        """Whether it is not 0, with this confidence."""
        return self.within is not None and abs(self.mean) > self.within


def estimate(values: Sequence[float]) -> Estimate:
    """The estimate from one value of each world. A world in which nothing fails has no time to
    recover, for example: it is left out."""
    known = [value for value in values if not math.isnan(value)]
    mean = fmean(known) if known else math.nan
    if len(known) < FEWEST_WORLDS:
        return Estimate(mean)
    return Estimate(mean, student_t(len(known) - 1) * stdev(known) / math.sqrt(len(known)))


def student_t(freedom: int) -> float:
    """The quantile of Student's t distribution for a 95 % interval. It is computed from that of the
    normal distribution by Fisher's expansion, which is exact to three digits from 10 degrees of
    freedom on."""
    z = NormalDist().inv_cdf((1 + _CONFIDENCE) / 2)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term / math.pow(freedom, power) for power, term in enumerate(terms, start=1))
