"""What SQLAlchemy and libpq, the driver's library, make of a URL of a PostgreSQL ledger.

The keywords and their values are libpq's:
https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
"""

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

POSTGRES_EXAMPLE = "postgresql+psycopg://user:password@host/database"
_SEVERAL_EXAMPLE = "postgresql+psycopg://user:password@/database?host=first:5432&host=second:5432"
WRITE_POSTGRES = f"write it like {POSTGRES_EXAMPLE}, and several hosts like {_SEVERAL_EXAMPLE}"
_DRIVER = "postgresql+psycopg"

_WHOLE_NUMBERS = frozenset(
    {"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"}
)
"""libpq reads the values of these only when it has connected."""

_NO_FOLDER = "/dev/null"
"""No socket of PostgreSQL can be in it, so connecting fails at once and no server is asked."""

_LIKE_A_SECRET = re.compile(r"(pass(word|wd|phrase)?|pwd|secret)\s*[=:]|://|:[^/]*@", re.IGNORECASE)
"""libpq takes a database's name with `://` for a whole URL."""


def check_postgres(text: str, url: URL) -> None:
    """Raises ValueError with the reason if the `url` that SQLAlchemy made of `text` cannot lead to
    a ledger, whatever the servers say, or if it is in doubt which part of it is the password. The
    reason quotes nothing of the text."""
    if url.drivername != _DRIVER or not _closes_brackets(text):
        raise ValueError(WRITE_POSTGRES)
    _check_at_signs(text, has_password=url.password is not None)
    _check_parameters(_connection_parameters(url))
    parts = _shown_parts(url)
    if ":" in (url.username or "") or any(_LIKE_A_SECRET.search(each) for each in parts):
        raise ValueError(f"a password is where none is expected: write it like {POSTGRES_EXAMPLE}")


def secret_parameters() -> frozenset[str]:
    """The keywords whose values libpq does not show, or only when debugging."""
    from psycopg import pq

    return frozenset(
        option.keyword.decode() for option in pq.Conninfo.get_defaults() if option.dispchar
    )


def _closes_brackets(text: str) -> bool:
    """SQLAlchemy ignores what comes between the bracket of an IPv6 address and the port."""
    address = text.rpartition("@")[2].partition("?")[0]
    return re.search(r"\][^:/]", address) is None


def _check_at_signs(text: str, *, has_password: bool) -> None:
    """SQLAlchemy ends the password at the first @ after its colon. The writer may have meant
    another one."""
    after_user = re.sub(r"^[^:/?]*", "", text.partition("://")[2])
    if after_user.count("@") > has_password:
        raise ValueError(
            "it is in doubt where the password ends: in user name, password, database and "
            f"parameters write each @ as %40, as in {POSTGRES_EXAMPLE}"
        )


def _connection_parameters(url: URL) -> Mapping[str, str]:
    """What the driver is given, by libpq's keywords. Raises ValueError."""
    try:
        from psycopg import pq
    except ImportError:
        raise ValueError(
            "needs the PostgreSQL driver: pip install 'baseten-watchdog[postgres]'"
        ) from None
    if not url.query.keys() <= {option.keyword.decode() for option in pq.Conninfo.get_defaults()}:
        raise ValueError("a parameter after the ? is none that PostgreSQL's library (libpq) knows")
    if any(name != "host" and not isinstance(value, str) for name, value in url.query.items()):
        raise ValueError("a parameter after the ? is there twice: only host may be repeated")
    try:
        dialect: Any = url.get_dialect()()
        _, found = dialect.create_connect_args(url)
    except (SQLAlchemyError, ValueError, TypeError):
        raise ValueError(WRITE_POSTGRES) from None
    if not {"dbname", "service"} & found.keys():
        raise ValueError(f"it names no database: write it like {POSTGRES_EXAMPLE}")
    return {name: str(value) for name, value in found.items()}


def _check_parameters(parameters: Mapping[str, str]) -> None:
    """Raises ValueError where libpq would refuse a value before it asks a server."""
    numbers = [value for name, value in parameters.items() if name in _WHOLE_NUMBERS]
    try:
        float(parameters.get("connect_timeout", "0"))
        right = all(re.fullmatch(r"\s*[+-]?\d+\s*", each, re.ASCII) for each in numbers)
        right = right and not any("\0" in each for each in parameters.values())
        right = right and _takes(parameters)
    except ValueError:
        right = False
    if not right:
        raise ValueError(
            "PostgreSQL's library (libpq) refuses the port or a value after the ?: correct that"
        )


def _takes(parameters: Mapping[str, str]) -> bool:
    """Whether libpq takes all values, as far as it can know by itself.

    It says so by trying to connect: to sockets that are not there, in place of the hosts.
    """
    from psycopg import Error, pq
    from psycopg.conninfo import make_conninfo

    names = parameters.get("hostaddr") or parameters.get("host", "")
    local = dict(parameters) | {"host": ",".join([_NO_FOLDER] * (names.count(",") + 1))}
    local.pop("hostaddr", None)
    if local.get("gssencmode") == "require":  # Not for sockets.
        del local["gssencmode"]
    try:
        said, usual = (
            pq.PGconn.connect_start(make_conninfo(**each).encode()).error_message
            for each in (local, {"host": _NO_FOLDER})
        )
    except Error:
        return False
    return said.partition(b'"')[0] == usual.partition(b'"')[0]


def _shown_parts(url: URL) -> list[str]:
    """All that is shown of the URL, decoded."""
    secret = secret_parameters()
    values = (each for name, each in url.query.items() if name not in secret)
    flat = (part for value in values for part in ([value] if isinstance(value, str) else value))
    return [url.username or "", url.host or "", url.database or "", *flat]
