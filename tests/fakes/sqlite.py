"""Listens to the events of a ledger's engine, to inject faults that cannot be injected
otherwise."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, event


@contextmanager
def listening(name: str, listener: Callable[..., None]) -> Iterator[None]:
    """Make all engines call it at this event of SQLAlchemy."""
    event.listen(Engine, name, listener)
    try:
        yield
    finally:
        event.remove(Engine, name, listener)
