"""A comparison in a table, in words and as JSON."""

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from watchdog.simulate.compare import MEASURES, Comparison, Measure
from watchdog.simulate.estimates import FEWEST_WORLDS, Estimate
from watchdog.text.phrases import age

_BY_NAME = {measure.name: measure for measure in MEASURES}
_DIGITS = 6
_ALONE = "of 100 failures end without a person"


def columns() -> tuple[str, ...]:
    return ("policy", *(measure.title for measure in MEASURES))


def rows(comparison: Comparison) -> list[tuple[str, ...]]:
    return [
        (policy.name, *(_cell(comparison.of(number, each), each) for each in MEASURES))
        for number, policy in enumerate(comparison.policies)
    ]


def paragraph(comparison: Comparison) -> list[str]:
    """What each policy would do instead of the first one."""
    first = comparison.policies[0].name
    if len(comparison.policies) == 1:
        return [f"Only {first} was tried: name another --config or --preset to compare it with."]
    told = [
        f"{policy.name} instead of {first}: {_changes(comparison, number)}"
        for number, policy in enumerate(comparison.policies)
        if number
    ]
    if any(
        comparison.difference(number, measure).within is None
        for number in range(len(comparison.policies))
        for measure in MEASURES
    ):
        told.append(
            "Some of this may be chance: that is known from "
            f"{FEWEST_WORLDS} worlds with failures on."
        )
    return told


def _changes(comparison: Comparison, number: int) -> str:
    parts = [
        _change(comparison.difference(number, _BY_NAME[name]), _BY_NAME[name], more, less)
        for name, more, less in (
            ("recovered", f"{{}} more {_ALONE}", f"{{}} fewer {_ALONE}"),
            ("time_p50", "the median failure lasts {} longer", "the median failure lasts {} less"),
            ("sent", "{} more retries are sent", "{} fewer retries are sent"),
            ("hopeless", "{} more of these cannot help", "{} fewer of these cannot help"),
            ("wasted", "{} more hours of builds are lost", "{} fewer hours of builds are lost"),
            ("to_person", "{} more are left to a person", "{} fewer are left to a person"),
        )
    ]
    known = [part for part in parts if part]
    return "; ".join(known) + "." if known else "no difference is certain."


def _change(difference: Estimate, measure: Measure, more: str, less: str) -> str:
    """A difference in words; nothing where it may be chance."""
    if not difference.is_known or not difference.mean:
        return ""
    if difference.within is not None and not difference.is_clear:
        return ""
    size = Estimate(abs(difference.mean), difference.within)
    shown = _cell(size, measure)
    if measure.unit == "share":
        shown = shown.replace("%", "")  # The words count in hundred.
    return (more if difference.mean > 0 else less).format(shown)


def _cell(value: Estimate, measure: Measure) -> str:
    if not value.is_known:
        return "-"
    shown = _shown(value.mean, measure)
    return shown if value.within is None else f"{shown} ±{_shown(value.within, measure)}"


def _shown(value: float, measure: Measure) -> str:
    match measure.unit:
        case "share":
            return f"{100 * value:.0f}%" if value >= 0.1 else f"{100 * value:.1f}%"
        case "seconds":
            return age(timedelta(seconds=value))
        case "hours":
            value /= 3600
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Holds no timings, so that the same seed gives the same bytes. Times are in seconds."""
    return {
        "seed": comparison.seed,
        "worlds": len(comparison.results),
        "models": comparison.fleet.models,
        "days": comparison.fleet.days,
        "policies": [
            {"policy": policy.name}
            | _numbers([comparison.of(number, each) for each in MEASURES])
            | {"difference": _numbers([comparison.difference(number, each) for each in MEASURES])}
            for number, policy in enumerate(comparison.policies)
        ],
    }


def _numbers(values: Sequence[Estimate]) -> dict[str, dict[str, float | None]]:
    return {
        measure.name: {"mean": _rounded(value.mean), "within": _rounded(value.within)}
        for measure, value in zip(MEASURES, values, strict=True)
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(f"{value:.{_DIGITS}g}")
