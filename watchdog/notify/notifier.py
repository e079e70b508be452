"""How each receiver is reached."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from watchdog.domain.notices import Notice, NoticeEvent
from watchdog.engine.ports import LONGEST_SEND, Delivery
from watchdog.files.regular import read_regular
from watchdog.notify import services
from watchdog.notify.body import body
from watchdog.notify.secrets import shown
from watchdog.notify.webhook import post, problem_of
from watchdog.notify.words import Links, text, title
from watchdog.text.secret import stripped

if TYPE_CHECKING:
    from apprise import Apprise

T = TypeVar("T")

_MOST_BYTES = 10_000
"""Longer than any URL."""


class NotifyProblem(Exception):
    """A receiver cannot be used until an operator acts. One line, without the URL."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a receiver is: its URL, or the file that has it."""

    url: str | None = None
    file: Path | None = None

    def read(self) -> str:
        """Raises NotifyProblem."""
        if self.file is None:
            return stripped(self.url or "")
        try:
            content = read_regular(self.file, _MOST_BYTES).decode()
        except (OSError, UnicodeDecodeError) as error:
            cause = error.strerror if isinstance(error, OSError) else "not text"
            raise NotifyProblem(f"the file {self.file} cannot be read: {cause}") from None
        url = stripped(content)
        if len(url.splitlines()) > 1:
            raise NotifyProblem(f"the file {self.file} has several lines: write the URL alone")
        return url


def problems(addresses: Mapping[str, Address]) -> Iterator[str]:
    """Why receivers cannot be used: one line for each, without the URL."""
    for name, address in addresses.items():
        try:
            _way(address.read())
        except NotifyProblem as error:
            yield f"notify: {name}: {error}"


class Receivers:
    """See `ports.Notifier`. Messages to different receivers may be sent at the same time."""

    def __init__(
        self, addresses: Mapping[str, Address], links: Links, *, check: bool = True
    ) -> None:
        """`addresses` by the name of the receiver. With `check` it raises NotifyProblem if one
        cannot be used. Otherwise `send` to that receiver returns the problem as its answer."""
        self._addresses = addresses
        self._links = links
        self._threads: dict[str, threading.Thread] = {}
        if check:
            self.prepare(addresses, links)

    def prepare(self, addresses: Mapping[str, Address], links: Links) -> Callable[[], None]:
        """Check these addresses. The returned function puts them in force. Raises NotifyProblem."""
        for problem in problems(addresses):
            raise NotifyProblem(problem)

        def take_up() -> None:
            self._addresses, self._links = addresses, links

        return take_up

    async def send(self, receiver: str, notices: Sequence[Notice]) -> Delivery:
        """Ends within `LONGEST_SEND`. The answer has no part of the URL in it."""
        address = self._addresses.get(receiver)
        if address is None:
            return Delivery(sent=False, answer="it is not configured any more")
        try:
            url = address.read()
            way = _way(url)
        except NotifyProblem as error:
            return Delivery(sent=False, answer=str(error))
        try:
            async with asyncio.timeout(LONGEST_SEND.total_seconds()):
                if way is None:
                    delivery = await post(url, body(notices, self._links))
                else:
                    delivery = await self._through(way, receiver, notices)
        except TimeoutError:
            seconds = LONGEST_SEND.total_seconds()
            return Delivery(sent=False, answer=f"it did not answer within {seconds:.0f} s")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            said = str(error) or "the connection was closed"
            return Delivery(sent=False, answer=shown(f"{type(error).__name__}: {said}", url))
        return replace(delivery, answer=shown(delivery.answer, url))

    async def _through(
        self, service: "Apprise", receiver: str, notices: Sequence[Notice]
    ) -> Delivery:
        last = self._threads.get(receiver)
        if last is not None and last.is_alive():
            # At most one thread for each receiver, however long it does not answer.
            return Delivery(sent=False, answer="it has not answered the last message yet")
        kind, heading, message = _kind(notices), title(notices), text(notices, self._links)
        thread, answered = _in_thread(lambda: services.send(service, heading, message, kind))
        self._threads[receiver] = thread
        return await answered


def _way(url: str) -> "Apprise | None":
    """The service of Apprise that has this URL, or None for a plain webhook. Raises
    NotifyProblem."""
    if not url:
        raise NotifyProblem("its URL is empty")
    if services.is_webhook(url):
        _check_webhook(url)
        return None
    try:
        service = services.service_of(url)
    except services.NoApprise:
        raise NotifyProblem(
            "a receiver that is no webhook needs the extra `notify`: "
            "pip install 'baseten-watchdog[notify]'"
        ) from None
    if service is None and (scheme := services.scheme_of(url)) is not None:
        raise NotifyProblem(
            f"its URL is incomplete or wrong for {scheme}://: see docs/notifications.md"
        )
    if service is None and not url.lower().startswith(("https://", "http://")):
        raise NotifyProblem(
            "its URL is neither one of Apprise's nor one of a webhook: see docs/notifications.md"
        )
    if service is None:
        _check_webhook(url)
    return service


def _check_webhook(url: str) -> None:
    if (problem := problem_of(url)) is not None:
        raise NotifyProblem(f"its URL cannot be used: {problem}")


def _kind(notices: Sequence[Notice]) -> str:
    events = {notice.event for notice in notices}
    if any(event.needs_operator for event in events):
        return "failure"
    if NoticeEvent.FLEET_BUDGET_SPENT in events:
        return "warning"
    return "success" if all(event.is_end for event in events) else "info"


def _in_thread(work: Callable[[], T]) -> "tuple[threading.Thread, asyncio.Future[T]]":
    """Do the work in a thread of its own. Unlike the threads of the event loop, it does not delay
    the end of the process."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(done: Callable[[Any], None], value: object) -> None:
        if not future.done():
            done(value)

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - a service of Apprise may raise anything
            _call(loop, settle, future.set_exception, OSError(f"{type(error).__name__}: {error}"))
        else:
            _call(loop, settle, future.set_result, result)

    thread = threading.Thread(target=run, name="notify", daemon=True)
    thread.start()
    return thread, future


def _call(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *values: object) -> None:
    try:
        loop.call_soon_threadsafe(function, *values)
    except RuntimeError:
        return  # The loop has ended: nobody waits for the answer any more.
