"""Listening to what the ledger does with its engine, for the faults that only this can be given."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, event


@contextmanager
def listening(name: str, listener: Callable[..., None]) -> Iterator[None]:
    """Have all engines call it at this event of SQLAlchemy's."""
    event.listen(Engine, name, listener)
    try:
        yield
    finally:
        event.remove(Engine, name, listener)
