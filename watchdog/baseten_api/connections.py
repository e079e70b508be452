"""A fixed set of HTTP clients of one connection each.

Measured on httpx 0.28 and httpcore 1.0: a pool scans all its connections for each request, and one
whose requests are cancelled from outside can stay dead for good. A client of one connection, thrown
away when a request on it was cut short, has neither trouble.
"""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import timedelta
from pathlib import Path

import httpx

from watchdog.baseten_api.key import ApiSetupError

_IDLE_SECONDS = 180
"""Longer than any sensible interval, so that a check does not pay for TLS; a server that closes
earlier costs a new connection and no more."""

_PHASE_SHARE = 0.9
"""Each phase of a request may take this much of the whole time-out, so that httpx's own time-outs,
which tell a connection that was never made from a lost answer, come before the whole one."""


class Connections:
    """Requests find their clients here. The most recently used one is taken first, so that few
    connections serve a small fleet; all share one SSL context, which takes 10 ms and 1 MB."""

    def __init__(self, size: int, *, base_url: str, timeout: timedelta, user_agent: str) -> None:
        """Raises ApiSetupError when the URL, or a CA or proxy of the environment's, is no good."""
        _check_url(base_url)
        self._ssl = _make_ssl_context()
        self._base_url = base_url
        self._timeout = timeout.total_seconds() * _PHASE_SHARE
        self._user_agent = user_agent
        self._size = size
        self._places = asyncio.Semaphore(size)
        try:
            self._idle = [self._make(keep=1)]
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            # Their texts may quote a proxy's URL, and with it a password.
            cause = "SOCKS is not supported" if isinstance(error, ImportError) else "not a URL"
            raise ApiSetupError(
                f"a proxy that the environment names cannot be used: {cause}: mend HTTPS_PROXY, "
                "HTTP_PROXY, ALL_PROXY or NO_PROXY"
            ) from None

    def resized(self, size: int, *, timeout: timedelta) -> "Connections":
        """Others like these, of another number and time-out."""
        return Connections(
            size, base_url=self._base_url, timeout=timeout, user_agent=self._user_agent
        )

    def place(self, *, urgent: bool) -> AbstractAsyncContextManager[None]:
        """Wait until fewer than `size` requests are under way. Urgent ones, of which the limits on
        retries leave but few, do not wait behind a crowd of slow checks."""
        return nullcontext() if urgent else self._places

    @asynccontextmanager
    async def reused(self) -> AsyncIterator["Client"]:
        """A client whose connection may be open already."""
        client = self._idle.pop() if self._idle else self._make(keep=1)
        keep = False
        try:
            yield client
            keep = len(self._idle) < self._size
        finally:
            if keep:
                self._idle.append(client)
            else:
                await _discard(client)

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator["Client"]:
        """A client with a connection of its own: on one that is reused, a server that just closed
        it would lose the answer."""
        client = self._make(keep=0)
        try:
            yield client
        finally:
            await _discard(client)

    async def close(self) -> None:
        """Requests still under way close theirs when they end."""
        self._size = 0
        while self._idle:
            await self._idle.pop().aclose()

    def _make(self, *, keep: int) -> "Client":
        return Client(
            base_url=self._base_url,
            verify=self._ssl,
            timeout=self._timeout,
            limits=httpx.Limits(
                max_connections=1, max_keepalive_connections=keep, keepalive_expiry=_IDLE_SECONDS
            ),
            headers={"User-Agent": self._user_agent, "Accept": "application/json"},
        )


class Client(httpx.AsyncClient):
    """An httpx client that is asked below its `send`, which looks for redirects, cookies and
    authentication: of those this API has none, and they cost a third of a request (`make bench`,
    the rows "one GET")."""

    @asynccontextmanager
    async def exchange(self, method: str, path: str, key: str) -> AsyncIterator[httpx.Response]:
        """Raises what `send` would: httpx.HTTPError or httpx.InvalidURL."""
        request = httpx.Request(
            method,
            str(self.base_url).rstrip("/") + path,
            headers=[*self.headers.raw, (b"Authorization", b"Api-Key " + key.encode())],
            extensions={"timeout": self.timeout.as_dict()},
        )
        response = await self._transport_for_url(request.url).handle_async_request(request)
        try:
            yield response
        finally:
            await response.aclose()


async def _discard(client: Client) -> None:
    # Closing must not be cut short by the same cancellation, or the socket would stay open.
    await asyncio.shield(asyncio.ensure_future(client.aclose()))


def _check_url(url: str) -> None:
    try:
        httpx.URL(url).host  # noqa: B018 - reading it decodes an internationalised name
    except (ValueError, httpx.InvalidURL) as error:
        raise ApiSetupError(
            f"baseten.base_url: {url!r} is not a URL: {error}: write it like https://api.baseten.co"
        ) from None


def _make_ssl_context() -> ssl.SSLContext:
    """The context that stock httpx would make, or an error that names what is wrong with it."""
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file:
        try:
            return httpx.create_ssl_context()
        except OSError as error:  # ssl.SSLError is one
            raise ApiSetupError(
                f"the CA certificates cannot be loaded: SSL_CERT_FILE={file}: {error.strerror}: "
                "name a file of PEM certificates, or unset it"
            ) from None
    # OpenSSL takes any folders for good, and then trusts nobody.
    if folder and not any(Path(part).is_dir() for part in folder.split(os.pathsep)):
        raise ApiSetupError(
            f"the CA certificates cannot be loaded: SSL_CERT_DIR={folder}: no such directory: "
            "name a directory of hashed PEM certificates, or unset it"
        )
    return httpx.create_ssl_context()
