"""The way to the API: its address, TLS, time-outs, and whatever httpx reads in the environment."""

import os
import ssl
from datetime import timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from watchdog.baseten_api.key import ApiSetupError

_LIMITS = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=180)
"""Idle for longer than any sensible interval, so that a check does not pay for TLS; a server that
closes earlier costs a new connection and no more."""

_CONNECT_SHARE = 0.9
"""So much of the whole time-out a step of making a connection may take: that nobody answers at all
is found before the whole ends, and is told from a lost answer. Where several steps are slow the
answer counts as lost, which is the safe guess."""


class Route:
    """Makes clients of one connection each. They share one SSL context, which takes 10 ms and
    1 MB."""

    def __init__(self, base_url: str, *, timeout: timedelta, user_agent: str) -> None:
        """Raises ApiSetupError when the URL, or the file of CAs, is no good."""
        self.base_url = base_url
        self.user_agent = user_agent
        self._url = _parse(base_url)
        self._ssl = _make_ssl_context()
        # Reading and writing have none: whoever asks bounds the whole, and each would cost a timer.
        connecting = timeout.total_seconds() * _CONNECT_SHARE
        self._timeout = httpx.Timeout(None, connect=connecting, pool=connecting)
        self._headers = {
            "User-Agent": user_agent,
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }

    def client(self) -> httpx.AsyncClient:
        """A new one. Raises ApiSetupError when the environment names a proxy that is no good."""
        try:
            return httpx.AsyncClient(
                base_url=self._url,
                verify=self._ssl,
                timeout=self._timeout,
                limits=_LIMITS,
                headers=self._headers,
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                follow_redirects=False,
                event_hooks={"response": [_forget_location]},
            )
        except (ValueError, ImportError, httpx.InvalidURL):
            # httpx's texts may quote the URL, and with it a password.
            raise ApiSetupError(
                "a proxy that the environment names cannot be used: it is no URL of an HTTP proxy "
                "(SOCKS is not supported): fix HTTPS_PROXY, HTTP_PROXY, ALL_PROXY or NO_PROXY"
            ) from None


async def _forget_location(response: httpx.Response) -> None:
    """httpx prepares the request that a redirect asks for even where none is followed, and raises
    anything when it cannot."""
    response.headers.pop("Location", None)


def _parse(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
        url.host  # noqa: B018 - reading it decodes an internationalised name
        problem = "" if url.scheme in ("http", "https") else "neither https nor http"
    except (ValueError, httpx.InvalidURL) as error:
        problem = str(error)
    if problem:
        raise ApiSetupError(
            f"baseten.base_url: {text!r} is not a URL: {problem}: write it like "
            "https://api.baseten.co"
        )
    return url


def _make_ssl_context() -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        file = os.environ.get("SSL_CERT_FILE", "")
        raise ApiSetupError(
            f"the CA certificates cannot be loaded: SSL_CERT_FILE={file}: {error.strerror}: "
            "name a file of PEM certificates, or unset it"
        ) from None
