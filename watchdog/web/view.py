"""What the web server shows, and the headers of its answers."""

from typing import Protocol

from watchdog.engine.fleet.condition import Condition
from watchdog.engine.fleet.overview import Overview, Past
from watchdog.engine.settings import Settings
from watchdog.web.facts import About

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
FRESH_HEADERS = HEADERS | {"Cache-Control": "no-store"}

BUSY = "too many pages at once"
"""The answer to a request that may not even wait for its turn."""

BUSY_HEADERS = FRESH_HEADERS | {"Retry-After": "5"}

_LONGEST_ID = 100
"""As long as the ledger's column."""


class View(Protocol):
    """The source of what the page shows."""

    @property
    def about(self) -> About: ...

    @property
    def condition(self) -> Condition: ...

    @property
    def settings(self) -> Settings: ...

    async def fleet(self) -> Overview:
        """Raises LedgerUnavailable."""

    async def past(self, model_id: str) -> Past | None:
        """None where there is no such target. Raises LedgerUnavailable."""


def is_possible_id(model_id: str) -> bool:
    """Whether the ledger may hold such an id. PostgreSQL would reject any other text, and that must
    not be reported as an outage."""
    return model_id.isprintable() and len(model_id) <= _LONGEST_ID
