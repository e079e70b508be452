"""Whether a PostgreSQL server keeps what it has confirmed."""

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from watchdog.engine.ports import LedgerUnavailable
from watchdog.ledger.line import Line, cause
from watchdog.urls.ledger import ledger_url

_OFF = text(
    "SELECT name FROM pg_settings WHERE setting = 'off' "
    "AND name IN ('fsync', 'full_page_writes', 'synchronous_commit') ORDER BY name"
)


def settings_off(url: str) -> list[str]:
    """The settings without which a server may lose, when it or its machine crashes, what it has
    confirmed: https://www.postgresql.org/docs/current/non-durability.html. Raises
    LedgerUnavailable."""
    line = Line(ledger_url(url), None)
    try:
        with line.connected() as connection:
            return list(connection.scalars(_OFF))
    except SQLAlchemyError as error:
        raise LedgerUnavailable(cause(error)) from error
    finally:
        line.close()
