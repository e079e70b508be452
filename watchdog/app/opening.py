"""Opening the ledger in a way that a stop need not wait for."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


async def open_unless(stop: asyncio.Event, open_it: Callable[[], T]) -> T | None:
    """Returns or raises what `open_it` does. Returns None if `stop` is set first.

    It runs in a thread that the end of the process does not wait for: a server that does not answer
    can be waited for much longer than a stop may take. No change is left half done, because the
    ledger is changed only in transactions.
    """
    loop = asyncio.get_running_loop()
    opened: asyncio.Future[T] = loop.create_future()

    def deliver(result: T | None, error: BaseException | None) -> None:
        if opened.cancelled():
            return
        if error is not None:
            opened.set_exception(error)
        else:
            opened.set_result(result)  # type: ignore[arg-type]

    def work() -> None:
        try:
            outcome: tuple[T | None, BaseException | None] = open_it(), None
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            outcome = None, error
        with suppress(RuntimeError):  # The loop is closed: nobody waits any more.
            loop.call_soon_threadsafe(deliver, *outcome)

    threading.Thread(target=work, name="opening", daemon=True).start()
    stopping = asyncio.create_task(stop.wait())
    both: set[asyncio.Future[Any]] = {opened, stopping}
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if opened.done():
        return opened.result()
    opened.cancel()
    return None
