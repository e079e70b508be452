"""Opening the ledger that the configuration names, and reading it for a command."""

from collections.abc import Callable
from typing import TypeVar

from watchdog.app.setup import NoLedgerError, SetupError
from watchdog.clock import SystemClock
from watchdog.config import Config
from watchdog.engine.ports import LedgerTransaction, LedgerUnavailable
from watchdog.ledger import LedgerMissing, LedgerSetupError, Role, SqlLedger

T = TypeVar("T")


def open_ledger(config: Config, clock: SystemClock, role: Role, *, make: bool = True) -> SqlLedger:
    """Open the ledger; if there is none, `make` it. From then on `clock` follows the clock of the
    ledger, if that has one. Raises SetupError, and its subclass NoLedgerError if
    there is no ledger."""
    try:
        ledger = SqlLedger.open(
            config.store.url,
            clock=clock,
            base_url=config.baseten.base_url,
            role=role,
            observe=config.mode == "observe",
            make=make,
        )
    except LedgerMissing as error:
        raise NoLedgerError(str(error)) from error
    except LedgerSetupError as error:
        raise SetupError(str(error)) from error
    if ledger.wall is not None:
        clock.follow(ledger.wall)
    return ledger


async def read_ledger(config: Config, work: Callable[[LedgerTransaction], T]) -> T:
    """Run one reading transaction on the ledger. Raises SetupError."""
    ledger = open_ledger(config, SystemClock(), Role.READER)
    try:
        return await ledger.transact(work)
    except LedgerUnavailable as error:
        raise SetupError(str(error)) from error
    finally:
        await ledger.close()
