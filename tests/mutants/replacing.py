"""Replaces parts of the program in the running process, and notes whether they are used."""

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from watchdog.engine.ports import ApiError, LedgerUnavailable, VersionConflict
from watchdog.engine.target.operate import UnderWay

Broken = Callable[..., Any]
"""The function that is called instead. Its first argument is the replaced function, and the others
are those of the call."""

_OURS = ("watchdog.", "tests.")
_ORDINARY = (ApiError, LedgerUnavailable, VersionConflict, UnderWay)


@dataclass
class Trace:
    """What happened to a replaced part: how often it was called, and an error of the replacement
    itself, after which the result of the test means nothing."""

    calls: int = 0
    crash: Exception | None = None

    def note(self, broken: Broken) -> Broken:
        """The same function, watched."""

        @wraps(broken)
        def called(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            try:
                return broken(*args, **kwargs)
            except _ORDINARY:
                raise
            except Exception as error:
                self.crash = error
                raise

        @wraps(broken)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            try:
                return await broken(*args, **kwargs)
            except _ORDINARY:
                raise
            except Exception as error:
                self.crash = error
                raise

        return awaited if inspect.iscoroutinefunction(broken) else called


def _watched(broken: Broken) -> Callable[[Callable[[Broken], Broken]], Broken]:
    return lambda note: note(broken)


@dataclass(frozen=True)
class Change:
    """`put` replaces the part for good, and is given what is called instead; `in_use` makes that,
    and is given what to wrap the broken function in, so that its calls are noted."""

    put: Callable[[Broken], None]
    in_use: Callable[[Callable[[Broken], Broken]], Broken] = field(repr=False)

    def make(self) -> Trace:
        """Make the change. It cannot be undone: the process must end soon."""
        trace = Trace()
        self.put(self.in_use(trace.note))
        return trace


def everywhere(right: Callable[..., Any], broken: Broken) -> Change:
    """A function or class in every module that holds it, by whatever name: a module that imported
    it has a reference of its own."""

    def put(noted: Broken) -> None:
        instead = _bound(noted, right)
        for module_name, module in list(sys.modules.items()):
            if module_name.startswith(_OURS) and not module_name.startswith("tests.mutants."):
                for name, value in list(vars(module).items()):
                    if value is right:
                        setattr(module, name, instead)

    return Change(put, _watched(broken))


def member(owners: Sequence[Any], name: str, broken: Broken) -> Change:
    """A method or property of classes, or what is looked up in modules. AttributeError when one of
    them has none."""
    for owner in owners:
        inspect.getattr_static(owner, name)

    def put(noted: Broken) -> None:
        for owner in owners:
            right = inspect.getattr_static(owner, name)  # It may have been replaced before.
            if isinstance(right, property):
                setattr(owner, name, property(_bound(noted, right.fget)))
            else:
                setattr(owner, name, _bound(noted, right))

    return Change(put, _watched(broken))


def _bound(broken: Broken, right: Any) -> Broken:
    """A plain function, so that it also works as a method."""

    def instead(*args: Any, **kwargs: Any) -> Any:
        return broken(right, *args, **kwargs)

    return instead
