"""The URLs of the API and of Baseten's web application, taken apart by httpx."""

import re

import httpx

from watchdog.text.host import HIGHEST_PORT, is_loopback
from watchdog.text.links import APP_URL

_ORIGIN = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?/?")
_NOT_AN_ORIGIN = "only a scheme, a host and a port, without path, query or user"


def api_url(text: str) -> httpx.URL:
    """Raises ValueError, with a text that does not quote the URL, which may hold a password."""
    return _url(text, "https://api.baseten.co")


def _url(text: str, example: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
        host, port = url.host, url.port  # Reading the host decodes an internationalised name.
    except (ValueError, httpx.InvalidURL):
        host, port = "", None
    right = host and (port is None or 0 < port <= HIGHEST_PORT)
    if not right or url.scheme not in ("http", "https"):
        raise ValueError(f"not a URL: write it like {example}")
    return url


def base_url_problem(text: str, *, insecure: bool) -> str | None:
    """Why the URL cannot be that of the API; `insecure` allows plain http to any host. The problem
    does not quote the URL, which may hold a password."""
    try:
        url = api_url(text)
    except ValueError as error:
        return str(error)
    if not _ORIGIN.fullmatch(text):
        return _NOT_AN_ORIGIN
    if url.scheme == "http" and not is_loopback(url.host) and not insecure:
        return (
            "plain http would send the API key in the clear: use https, or set "
            "baseten.allow_insecure_http: true"
        )
    return None


def app_url_problem(text: str) -> str | None:
    """Why the URL cannot be that of the web application. It does not quote the URL."""
    try:
        _url(text, APP_URL)
    except ValueError as error:
        return str(error)
    return None if _ORIGIN.fullmatch(text) else _NOT_AN_ORIGIN
