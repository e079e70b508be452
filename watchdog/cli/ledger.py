"""Reading the ledger for a command."""

from typing import TYPE_CHECKING, NoReturn, TypeVar

from watchdog.cli.console import fail

if TYPE_CHECKING:
    from collections.abc import Callable

    from watchdog.app.setup import NoLedgerError
    from watchdog.config import Config
    from watchdog.engine.ports import LedgerTransaction

T = TypeVar("T")


def read(settings: "Config", work: "Callable[[LedgerTransaction], T]") -> T:
    """Run one reading transaction; if it fails, print the reason in one line and exit 2."""
    import asyncio

    from watchdog.app.ledger import read_ledger
    from watchdog.app.setup import SetupError

    try:
        return asyncio.run(read_ledger(settings, work))
    except SetupError as error:
        fail(str(error))


def fail_without_ledger(error: "NoLedgerError") -> NoReturn:
    fail(f"{error} (`pause` and `retry` make a new one with --create)")
