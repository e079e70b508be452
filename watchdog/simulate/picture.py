"""A picture of a comparison: time to recover against retries sent."""

import math
from html import escape

from watchdog.simulate.compare import MEASURES, Comparison
from watchdog.simulate.estimates import Estimate

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 760, 440, 70, 150, 40, 60
_COLOURS = ("#0b6e4f", "#c1121f", "#3d5a80", "#e07a00", "#6a4c93", "#555555")
_MINUTE = 60
_MOST_LINES = 5


def svg(comparison: Comparison) -> str:
    """Each policy is a point with its confidence intervals, unless no failure ended. The number of
    retries has a scale of powers of ten."""
    by_name = {measure.name: measure for measure in MEASURES}
    count = len(comparison.policies)
    sent = [comparison.of(number, by_name["sent"]) for number in range(count)]
    times = [comparison.of(number, by_name["time_p50"]) for number in range(count)]
    decades = max(1, math.ceil(math.log10(max(1, *(_high(each) for each in sent)))))
    step = _step(max((_high(each) for each in times if each.is_known), default=0.0) / _MINUTE)
    most = step * _MOST_LINES
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        _text(_LEFT, 24, "Median time to recover against retries sent", size=16),
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 12, "retries sent", anchor="middle"),
        _text(_LEFT - 8, _TOP - 16, "minutes", anchor="end"),
    ]
    for power in range(decades + 1):
        x = _across(10**power, decades)
        parts += [_line(x, _TOP, x, _HEIGHT - _BOTTOM, "#dddddd")]
        parts += [_text(x, _HEIGHT - _BOTTOM + 20, f"{10**power:,}", anchor="middle")]
    for number in range(_MOST_LINES + 1):
        y = _down(number * step, most)
        parts += [_line(_LEFT, y, _WIDTH - _RIGHT, y, "#dddddd")]
        parts += [_text(_LEFT - 8, y + 4, f"{number * step:g}", anchor="end")]
    for number, policy in enumerate(comparison.policies):
        if not times[number].is_known:
            continue
        colour = _COLOURS[number % len(_COLOURS)]
        x, y = _across(sent[number].mean, decades), _down(times[number].mean / _MINUTE, most)
        parts += _cross(sent[number], times[number], decades, most, colour)
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>']
        parts += [_text(x + 9, y - 7, policy.name, colour=colour)]
    return "\n".join((*parts, "</svg>", ""))


def _cross(sent: Estimate, time: Estimate, decades: int, most: float, colour: str) -> list[str]:
    x, y = _across(sent.mean, decades), _down(time.mean / _MINUTE, most)
    left, right = _across(_low(sent), decades), _across(_high(sent), decades)
    low, high = _down(_low(time) / _MINUTE, most), _down(_high(time) / _MINUTE, most)
    return [_line(left, y, right, y, colour), _line(x, low, x, high, colour)]


def _high(value: Estimate) -> float:
    return value.mean + (value.within or 0)


def _low(value: Estimate) -> float:
    return max(0.0, value.mean - (value.within or 0))


def _step(most: float) -> float:
    """A round number of minutes between two lines."""
    wanted = max(most / _MOST_LINES, 0.1)
    power = math.pow(10, math.floor(math.log10(wanted)))
    return next(each * power for each in (1, 2, 5, 10) if each * power >= wanted)


def _across(retries: float, decades: int) -> float:
    share = math.log10(max(retries, 1)) / decades
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _down(minutes: float, most: float) -> float:
    return _HEIGHT - _BOTTOM - minutes / most * (_HEIGHT - _TOP - _BOTTOM)


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}"/>'


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", colour: str = "#222222", size: int = 13
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" '
        f'font-family="sans-serif" font-size="{size}">{escape(text)}</text>'
    )
