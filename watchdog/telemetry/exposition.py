"""Renders families that have a series for each target, in Prometheus' text format and in
OpenMetrics.

prometheus-client is not used for these: its gauges take eight times as long for ten thousand
targets (`make bench`, the rows "a scrape").
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from watchdog.text.untrusted import clean

PREFIX = "baseten_watchdog_"

_PIECE_LINES = 500
"""Lines in a piece of the body. Such a piece takes about a millisecond."""


class Family:
    """The metrics with one name. https://prometheus.io/docs/instrumenting/exposition_formats/

    The two formats have one difference: in OpenMetrics the name of a counter's family has no
    `_total`, but the names of its samples do.
    https://prometheus.io/docs/specs/om/open_metrics_spec/
    """

    def __init__(self, name: str, kind: str, text: str, *labels: str) -> None:
        name = PREFIX + name
        self._head = _head(name, kind, text)
        self._openmetrics_head = _head(name.removesuffix("_total"), kind, text)
        self._line = name + "{" + ",".join(f'{label}="%s"' for label in labels) + "} %s\n"

    def render(
        self, rows: Iterable[tuple[object, ...]], *, openmetrics: bool = False
    ) -> Iterator[bytes]:
        """Render the family, in pieces. A row has the labels' values, of which the caller has
        escaped the untrusted ones, and the sample's value."""
        yield self._openmetrics_head if openmetrics else self._head
        lines = map(self._line.__mod__, rows)
        while piece := "".join(islice(lines, _PIECE_LINES)):
            yield piece.encode()


def _head(name: str, kind: str, text: str) -> bytes:
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n".encode()


def escape(text: str) -> str:
    """Escape a text for a label's value. Characters that cannot be printed are replaced first,
    because some parsers end a line at U+2028 and similar ones."""
    text = clean(text) if "\n" not in text else "\n".join(map(clean, text.split("\n")))
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
