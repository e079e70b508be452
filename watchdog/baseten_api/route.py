"""How the API is reached: its address, TLS, time-outs, and the environment variables that httpx
reads."""

from datetime import timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from watchdog.baseten_api.authorities import Authorities
from watchdog.baseten_api.key import ApiSetupError
from watchdog.text.host import is_loopback
from watchdog.urls.api import api_url

_LIMITS = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=180)
"""Longer than any sensible interval, so that a check need not repeat the TLS handshake. A server
that closes earlier only costs a new connection."""

_CONNECT_SHARE = 0.9
"""The share of the whole time-out that each step of connecting may take. A server that does not
respond at all is then noticed before the whole time-out ends, and is not confused with a lost
answer. If several steps are slow, the answer counts as lost, which is the safe assumption."""


class Route:
    """Creates clients with one connection each. They share one SSL context."""

    def __init__(self, base_url: str, *, timeout: timedelta, user_agent: str) -> None:
        """Raises ApiSetupError when the URL or the file of CAs is not usable."""
        self.base_url = base_url
        self.user_agent = user_agent
        try:
            self._url = api_url(base_url)
        except ValueError as error:
            raise ApiSetupError(f"baseten.base_url: {error}") from None
        self.authorities = Authorities()
        # Reading and writing have no time-out here: the caller bounds the whole request, and each
        # time-out would cost a timer.
        connecting = timeout.total_seconds() * _CONNECT_SHARE
        self._timeout = httpx.Timeout(None, connect=connecting, pool=connecting)
        self._headers = {
            "User-Agent": user_agent,
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }

    def client(self) -> httpx.AsyncClient:
        """A new client. Raises ApiSetupError when the environment names an unusable proxy."""
        try:
            return httpx.AsyncClient(
                base_url=self._url,
                verify=self.authorities.context,
                timeout=self._timeout,
                limits=_LIMITS,
                headers=self._headers,
                # A proxy cannot reach this machine's loopback, and would get the key in the clear.
                trust_env=not is_loopback(self._url.host),
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                follow_redirects=False,
                event_hooks={"response": [_forget_location]},
            )
        except (ValueError, ImportError, httpx.InvalidURL):
            # The text of httpx's error may quote the URL, and so a password.
            raise ApiSetupError(
                "a proxy that the environment names cannot be used: it is no URL of an HTTP proxy "
                "(SOCKS is not supported): fix HTTPS_PROXY, HTTP_PROXY, ALL_PROXY or NO_PROXY"
            ) from None


async def _forget_location(response: httpx.Response) -> None:
    """Makes a redirect an ordinary answer. httpx prepares the request that a redirect leads to even
    when it does not follow it, and can raise any error when it cannot."""
    response.headers.pop("Location", None)
