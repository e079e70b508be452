"""Which URLs are valid for the API and for the ledger."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

_EXAMPLE = "sqlite:////var/lib/baseten-watchdog/ledger.db"

_ORIGIN = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?/?")
_POSTGRES_EXAMPLE = "postgresql+psycopg://user:password@host/database"
_POSTGRES = re.compile(
    r"postgresql\+psycopg://(?=[^/])([^/?#]*@)?(\[[0-9A-Fa-f:.]+\]|[^]/?#:@[]*)(:[0-9]{1,5})?"
    r"/[^/?#]+(\?[^#]*)?"
)
_SEVERAL = re.compile(r"[^/]*//[^/?#]*:[0-9]+,[^/?#@]*/")
_SEVERAL_EXAMPLE = "postgresql+psycopg://user:password@/database?host=first:5432&host=second:5432"
_SQLITE_FILE = re.compile(r"sqlite(\+pysqlite)?:///(?!:memory:|file:)[^?#]+")


def base_url_problem(url: str, *, insecure: bool) -> str | None:
    """Why the URL cannot be that of the API; `insecure` allows plain http to any host."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not host:
        return "not a URL: write it like https://api.baseten.co"
    if not _ORIGIN.fullmatch(url):
        return "only a scheme, a host and a port, without path, query or user"
    if parts.scheme == "http" and not _loopback(host) and not insecure:
        return (
            "plain http would send the API key in the clear: use https, or set "
            "baseten.allow_insecure_http: true"
        )
    return None


def store_url_problem(url: str) -> str | None:
    """Why the URL cannot be that of a ledger. The text does not quote the URL, which may hold a
    password."""
    driver = re.match(r"([a-z0-9_]+(\+[a-z0-9_]+)?)://", url)
    if driver is None:
        return f"not a SQLAlchemy URL: write it like {_EXAMPLE}"
    if driver[1].partition("+")[0] == "postgresql":
        # Elsewhere it would not be masked when the URL is shown.
        if re.search(r"[?&]password=", url):
            return f"the password stands before the host: write it like {_POSTGRES_EXAMPLE}"
        if _SEVERAL.match(url):
            return f"write several hosts like {_SEVERAL_EXAMPLE}"
        fits = _POSTGRES.fullmatch(url) is not None
        return None if fits else f"write it like {_POSTGRES_EXAMPLE}"
    if driver[1] not in ("sqlite", "sqlite+pysqlite"):
        return f"{driver[1]} is not supported: use sqlite, like {_EXAMPLE}, or {_POSTGRES_EXAMPLE}"
    if not _SQLITE_FILE.fullmatch(url):
        return (
            f"the limits need a ledger that outlives the process: name just a file, like {_EXAMPLE}"
        )
    return None


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
