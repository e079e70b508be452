"""The URL of the ledger, taken apart by SQLAlchemy and, for PostgreSQL, by the driver's libpq.

No text of an error quotes the URL: it may hold a password.
"""

import re
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from watchdog.text.home import check_no_home
from watchdog.text.untrusted import MASK, is_visible
from watchdog.urls.postgres import (
    POSTGRES_EXAMPLE,
    WRITE_POSTGRES,
    check_postgres,
    secret_parameters,
)

_EXAMPLE = "sqlite:////var/lib/baseten-watchdog/ledger.db"
_WRITE_SQLITE = (
    f"the limits need a ledger that outlives the process: name just a file, like {_EXAMPLE}"
)
_DRIVER = re.compile(r"([a-z0-9_]+(\+[a-z0-9_]+)?)://")


def ledger_url(text: str) -> URL:
    """Raises ValueError with the reason if no ledger can be opened there, whatever the server
    says."""
    driver = _DRIVER.match(text)
    if driver is None:
        raise ValueError(f"not a SQLAlchemy URL: write it like {_EXAMPLE}")
    is_postgres = driver[1].partition("+")[0] == "postgresql"
    if not is_postgres and driver[1] not in ("sqlite", "sqlite+pysqlite"):
        raise ValueError(
            f"{driver[1]} is not supported: use sqlite, like {_EXAMPLE}, or {POSTGRES_EXAMPLE}"
        )
    try:
        url = make_url(text)
    except (SQLAlchemyError, ValueError, TypeError):
        raise ValueError(WRITE_POSTGRES if is_postgres else _WRITE_SQLITE) from None
    if is_postgres:
        check_postgres(text, url)
    else:
        _check_sqlite(text, url)
    return url


def shown(url: URL) -> str:
    """The URL with every secret in it masked."""
    if url.get_backend_name() != "postgresql":
        return url.render_as_string()
    masked = dict.fromkeys(secret_parameters() & url.query.keys(), MASK)
    text = url.update_query_dict(masked).render_as_string(hide_password=True)
    return text.replace("=%2A%2A%2A", f"={MASK}")


def located(text: str, folder: Path) -> str:
    """The URL, with a relative SQLite file starting at `folder`."""
    url = ledger_url(text)
    if url.get_backend_name() != "sqlite" or Path(url.database or "").is_absolute():
        return text
    return url.set(database=str(folder / (url.database or ""))).render_as_string()


def sqlite_file(text: str) -> Path | None:
    """The file of a SQLite ledger; None on PostgreSQL. Raises ValueError."""
    url = ledger_url(text)
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def is_relative(text: str) -> bool:
    """Whether it names a SQLite file whose place depends on the working directory."""
    return text != located(text, Path("/"))


def _check_sqlite(text: str, url: URL) -> None:
    """Raises ValueError. A `#` is part of the file for SQLAlchemy, but not in other URLs."""
    file, others = url.database or "", (url.username, url.password, url.host, url.port)
    is_file = file and is_visible(file) and not file.endswith("/")
    is_memory = file.startswith((":memory:", "file:"))
    alone = not url.query and "#" not in text and all(each is None for each in others)
    if not is_file or is_memory or not alone:
        raise ValueError(_WRITE_SQLITE)
    check_no_home(file)
