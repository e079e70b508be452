"""Long lists of ids, in parts that one statement can take."""

from collections.abc import Collection, Iterator

_VARIABLES = 500
"""In one statement: well below any database's limit."""


def in_chunks(ids: Collection[str]) -> Iterator[list[str]]:
    listed = list(ids)
    for start in range(0, len(listed), _VARIABLES):
        yield listed[start : start + _VARIABLES]
