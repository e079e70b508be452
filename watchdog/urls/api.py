"""The URLs of the API, of Baseten's web application and of our own page, taken apart by httpx.

No text of an error quotes the URL: it may hold a password.
"""

import re

import httpx

from watchdog.text.host import HIGHEST_PORT, is_loopback
from watchdog.text.links import APP_URL

_ORIGIN = r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?"
_NO_PATH = re.compile(f"{_ORIGIN}/?")
_WITH_PATH = re.compile(rf"{_ORIGIN}(/([\w.~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{{2}})*)?", re.ASCII)
_MUST_HAVE_NO_PATH = "only a scheme, a host and a port, without path, query or user"


def api_url(text: str) -> httpx.URL:
    """Raises ValueError."""
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
    """Why the URL cannot be that of the API; `insecure` allows plain http to any host."""
    try:
        url = api_url(text)
    except ValueError as error:
        return str(error)
    if not _NO_PATH.fullmatch(text):
        return _MUST_HAVE_NO_PATH
    if url.scheme == "http" and not is_loopback(url.host) and not insecure:
        return (
            "plain http would send the API key in the clear: use https, or set "
            "baseten.allow_insecure_http: true"
        )
    return None


def app_url_problem(text: str) -> str | None:
    """Why the URL cannot be that of the web application."""
    try:
        _url(text, APP_URL)
    except ValueError as error:
        return str(error)
    return None if _NO_PATH.fullmatch(text) else _MUST_HAVE_NO_PATH


def page_url_problem(text: str) -> str | None:
    """Why the URL cannot be that of our page, which may be behind a path of a proxy."""
    try:
        _url(text, "https://watchdog.example.com")
    except ValueError as error:
        return str(error)
    if _WITH_PATH.fullmatch(text):
        return None
    return "only a scheme, a host, a port and a path, without query, fragment, user or spaces"
