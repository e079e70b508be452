"""Sends a read-only request a second time if nothing comes on its connection."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from watchdog.engine.ports import ApiError

T = TypeVar("T")

_Send = Callable[[], Coroutine[Any, Any, T]]


async def first_answer(
    first: _Send[T], second: _Send[T], *, is_silent: Callable[[], bool], after: float
) -> T:
    """The answer to the first request, or to the second one. The second is sent if the first one's
    connection breaks, or gives nothing for `after` seconds. The first one goes on meanwhile: a slow
    server may still answer it.

    `is_silent` says whether nothing came on the first one's connection. If no request is answered,
    the error of the first one is raised.
    """
    sent = [asyncio.create_task(first())]
    try:
        await asyncio.wait(sent, timeout=after)
        if is_silent():
            sent.append(asyncio.create_task(second()))
            return await _first_success(sent)
        return await sent[0]
    finally:
        for each in sent:
            each.cancel()
        # Nearly always there is one request, and it is done: nothing to wait for.
        if not (len(sent) == 1 and sent[0].done()):
            await asyncio.gather(*sent, return_exceptions=True)


async def _first_success(sent: list[asyncio.Task[T]]) -> T:
    for ended in asyncio.as_completed(sent):
        try:
            return await ended
        except ApiError:
            continue
    return sent[0].result()
