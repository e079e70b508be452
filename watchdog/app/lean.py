"""Imports of the daemon that take less time and memory. This module itself imports little."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

_LEFT_OUT = ("rich", "rich.pretty", "rich.traceback")
"""What structlog colours tracebacks with. It imports them where they are installed, does without
them where they are not, and uses them for nothing here. They bring most of Rich and Pygments with
them, as the command of httpx does, which `__main__` leaves out of every process."""


@contextmanager
def lean_imports() -> Iterator[None]:
    """In the `with` block the modules of `_LEFT_OUT` cannot be imported, unless they are already,
    and no garbage is collected: collecting it takes a seventh of the time of the imports, and finds
    almost nothing. Objects that exist at the end of the block are never examined again."""
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    left_out = [name for name in _LEFT_OUT if name not in modules]
    modules.update(dict.fromkeys(left_out))  # None means that importing it is an error.
    gc.disable()
    try:
        yield
    finally:
        for name in left_out:
            del modules[name]
        gc.freeze()
        gc.enable()
