"""An event loop in virtual time, whose processes can be killed between any two steps.

It uses one thread and no system calls: with the same callbacks it takes the same steps. Each
callback belongs to the process that scheduled it, and no callback of a dead process ever runs.
"""

import asyncio
import contextvars
import heapq
import itertools
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


class Process:
    """A process that runs on the loop and can be killed. If `steps_left` is not None, it counts
    down, and the process ends at 0."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.steps_left: int | None = None
        self.tasks: list[asyncio.Task[Any]] = []

    def out_of_steps(self) -> None:
        """Called between two steps when `steps_left` has reached 0."""
        raise NotImplementedError


PROCESS: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)


class Stalled(Exception):
    """No callback is left to run."""


class VirtualLoop(asyncio.AbstractEventLoop):
    """`errors` are the exceptions that were not caught."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self._time = 0.0
        self._order = itertools.count()
        self._ready: deque[tuple[asyncio.Handle, Process | None]] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle, Process | None]] = []

    def run_until(self, end: float) -> None:
        """Run every callback that is due by then."""
        hooks = sys.get_asyncgen_hooks()
        # A suspended generator must not continue when it is garbage-collected, at an arbitrary
        # moment.
        sys.set_asyncgen_hooks(firstiter=None, finalizer=lambda _: None)
        asyncio._set_running_loop(self)  # noqa: SLF001 - what a loop is there for
        try:
            while self._ready or (self._timers and self._timers[0][0] <= end):
                self._step()
            self._time = max(self._time, end)
        finally:
            asyncio._set_running_loop(None)  # noqa: SLF001
            sys.set_asyncgen_hooks(*hooks)

    def _step(self) -> None:
        if not self._ready:
            self._time = max(self._time, self._timers[0][0])
        while self._timers and self._timers[0][0] <= self._time:
            _, _, timer, owner = heapq.heappop(self._timers)
            self._ready.append((timer, owner))
        handle, owner = self._ready.popleft()
        if handle.cancelled() or (owner is not None and not owner.alive):
            return
        handle._run()  # noqa: SLF001
        if owner is not None and owner.alive and owner.steps_left is not None:
            owner.steps_left -= 1
            if owner.steps_left <= 0:
                owner.steps_left = None
                owner.out_of_steps()

    def bury(self, process: Process) -> None:
        """Free the tasks that a dead process left suspended. Its adapters no longer let anything
        through."""
        process.alive = False
        for task in process.tasks:
            if task.done():
                _ = task.cancelled() or task.exception()  # Nothing retrieves its result any more.
            else:
                vars_of_task: Any = task
                vars_of_task._log_destroy_pending = False  # noqa: SLF001
                coroutine = task.get_coro()
                with suppress(BaseException):
                    assert coroutine is not None
                    coroutine.close()
        process.tasks.clear()

    # What asyncio needs from a loop

    def time(self) -> float:
        return self._time

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.Handle:
        context = contextvars.copy_context() if context is None else context
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append((handle, context.get(PROCESS)))
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._time + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        context = contextvars.copy_context() if context is None else context
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._order), handle, context.get(PROCESS)))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Nothing to do: a cancelled timer is dropped when its time comes."""

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
        **_: Any,
    ) -> asyncio.Task[T]:
        task: asyncio.Task[T] = asyncio.Task(coro, loop=self, name=name, context=context)
        if (owner := (context or contextvars.copy_context()).get(PROCESS)) is not None:
            owner.tasks.append(task)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        future = context.get("future")
        if isinstance(future, asyncio.Future) and not isinstance(future, asyncio.Task):
            return  # Reported when it is garbage-collected, perhaps long after its process died.
        self.errors.append(f"{context.get('message')}: {context.get('exception')!r}")

    def spawn(self, process: Process, work: Coroutine[Any, Any, Any]) -> None:
        """Start a process's main task."""
        context = contextvars.copy_context()
        context.run(PROCESS.set, process)
        self.create_task(work, context=context)
