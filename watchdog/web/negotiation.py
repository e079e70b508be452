"""Which of the offered formats a client prefers, by its header `Accept` (RFC 9110, 12.5.1)."""

from collections.abc import Sequence


def preferred(accept: str, offered: Sequence[str]) -> str:
    """The media type among `offered` that the client prefers. It is the first one when the client
    names none, has no preference, or accepts none of them: an answer in another format is more
    useful than an error. Parameters other than `q` are ignored."""
    ranges = _ranges(accept)
    # `max` keeps the order of those that are equal.
    return max(offered, key=lambda each: _quality(each, ranges)) if ranges else offered[0]


def _ranges(accept: str) -> dict[str, float]:
    """The highest quality of each media range, such as `text/plain`, `text/*` or `*/*`."""
    found: dict[str, float] = {}
    for each in accept.split(","):
        name, *parameters = (part.strip().lower() for part in each.split(";"))
        if name:
            found[name] = max(found.get(name, 0.0), _q(parameters))
    return found


def _q(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0


def _quality(offered: str, ranges: dict[str, float]) -> float:
    """Of the most specific range that includes it."""
    name = offered.partition(";")[0].strip().lower()
    for each in (name, f"{name.partition('/')[0]}/*", "*/*"):
        if each in ranges:
            return ranges[each]
    return 0.0
