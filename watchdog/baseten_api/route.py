"""The way to the API: its address, TLS, and the proxy that the environment names."""

import os
import ssl
from datetime import timedelta
from pathlib import Path
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from watchdog.baseten_api.key import ApiSetupError

_IDLE_SECONDS = 180
"""Longer than any sensible interval, so that a check does not pay for TLS; a server that closes
earlier costs a new connection and no more."""

_CONNECT_SHARE = 0.9
"""So much of the whole time-out a step of making a connection may take: that nobody answers at all
is found before the whole ends, and is told from a lost answer. Where several steps are slow the
answer counts as lost, which is the safe guess."""


class Route:
    """Makes connections and requests. All connections share one SSL context, which takes 10 ms and
    1 MB."""

    def __init__(self, base_url: str, *, timeout: timedelta, user_agent: str) -> None:
        """Raises ApiSetupError when the URL, or a CA or proxy of the environment's, is no good."""
        self.base_url = base_url
        self.user_agent = user_agent
        self._url = _parse(base_url)
        self._proxy = _proxy_to(self._url)
        self._ssl = _make_ssl_context()
        # Reading and writing have none: whoever asks bounds the whole, and each would cost a timer.
        self._extensions = {"timeout": {"connect": timeout.total_seconds() * _CONNECT_SHARE}}
        self._headers = [
            (b"Host", self._url.netloc),
            (b"User-Agent", user_agent.encode()),
            (b"Accept", b"application/json"),
            (b"Accept-Encoding", b"identity"),
        ]

    def connect(self) -> httpcore.AsyncHTTPConnection | httpcore.AsyncHTTPProxy:
        """What opens a connection with its first request."""
        if self._proxy is None:
            return httpcore.AsyncHTTPConnection(
                self._target(b"/").origin, ssl_context=self._ssl, keepalive_expiry=_IDLE_SECONDS
            )
        url = self._proxy.url
        return httpcore.AsyncHTTPProxy(
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=b"/"),
            proxy_auth=self._proxy.raw_auth,
            ssl_context=self._ssl,
            max_connections=1,
            keepalive_expiry=_IDLE_SECONDS,
        )

    def request(self, method: str, path: str, key: str) -> httpcore.Request:
        headers = [*self._headers, (b"Authorization", b"Api-Key " + key.encode())]
        if method == "POST":
            headers.append((b"Content-Length", b"0"))
        target = self._target(path.encode())
        return httpcore.Request(method, target, headers=headers, extensions=self._extensions)

    def _target(self, path: bytes) -> httpcore.URL:
        url = self._url
        return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=path)


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


def _proxy_to(url: httpx.URL) -> httpx.Proxy | None:
    proxies = getproxies()
    found = proxies.get(url.scheme) or proxies.get("all")
    if not found or _asked_directly(url, proxies.get("no", "")):
        return None
    try:
        proxy = httpx.Proxy(found if "://" in found else f"http://{found}")
        cause = "SOCKS is not supported" if proxy.url.scheme.startswith("socks") else ""
    except (ValueError, httpx.InvalidURL):
        cause = "not a URL"
    if cause:
        # The library's texts may quote the URL, and with it a password.
        raise ApiSetupError(
            f"a proxy that the environment names cannot be used: {cause}: fix HTTPS_PROXY, "
            "HTTP_PROXY, ALL_PROXY or NO_PROXY"
        )
    return proxy


def _asked_directly(url: httpx.URL, no_proxy: str) -> bool:
    """By NO_PROXY. The standard library wants an IPv6 address without its brackets there, and takes
    `*` for all only where it stands alone."""
    everybody = "*" in (name.strip() for name in no_proxy.split(","))
    return everybody or any(proxy_bypass(name) for name in (url.netloc.decode(), url.host))


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
