"""Long lists of ids, in parts that one statement can take."""

from collections.abc import Collection, Iterator
from typing import TypeVar

T = TypeVar("T")

_VARIABLES = 500
"""Variables in one statement: well below the limit of every database."""


def in_chunks(ids: Collection[T]) -> Iterator[list[T]]:
    listed = list(ids)
    for start in range(0, len(listed), _VARIABLES):
        yield listed[start : start + _VARIABLES]
