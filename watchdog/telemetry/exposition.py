"""The Prometheus text format, of families with a series for each target.

Not by prometheus-client: of ten thousand targets its gauges take eight times as long (`make bench`,
the rows "a scrape").
"""

from collections.abc import Iterable, Iterator
from itertools import islice

PREFIX = "baseten_watchdog_"

_PIECE_LINES = 500
"""A piece of so many takes about a millisecond."""


class Family:
    """The metrics of one name. https://prometheus.io/docs/instrumenting/exposition_formats/"""

    def __init__(self, name: str, kind: str, text: str, *labels: str) -> None:
        name = PREFIX + name
        self._head = f"# HELP {name} {text}\n# TYPE {name} {kind}\n".encode()
        self._line = name + "{" + ",".join(f'{label}="%s"' for label in labels) + "} %s\n"

    def render(self, rows: Iterable[tuple[object, ...]]) -> Iterator[bytes]:
        """In pieces. A row has the labels' values, of which untrusted ones are escaped, and the
        sample's value."""
        yield self._head
        lines = map(self._line.__mod__, rows)
        while piece := "".join(islice(lines, _PIECE_LINES)):
            yield piece.encode()


def escape(text: str) -> str:
    """As it can stand for a label's value."""
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
