"""What the operators' commands do with the parts."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from watchdog.app.commands import open_engine
from watchdog.app.ledger import open_ledger
from watchdog.app.parts import make_settings
from watchdog.app.setup import SetupError
from watchdog.clock import SystemClock
from watchdog.config import Config
from watchdog.domain.records import Attempt, Target
from watchdog.engine.fleet import discovered
from watchdog.engine.lifecycle.watchlist import targets_for_command
from watchdog.engine.ports import ApiError, LedgerTransaction, LedgerUnavailable
from watchdog.engine.settings import Settings
from watchdog.engine.target.operate import note_not_retried, note_retry
from watchdog.ledger import Role
from watchdog.text.untrusted import clean

T = TypeVar("T")

_CONFLICTS = 5
"""How often the check is tried again if another process recorded the target between our check and
our reservation."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A target after an operator's `retry`, the attempt if one was made, and the ledger's time
    then."""

    target: Target
    attempt: Attempt | None
    error: ApiError | LedgerUnavailable | None
    now: datetime


async def change_ledger(
    config: Config, work: Callable[[LedgerTransaction, Settings], T], *, make: bool
) -> tuple[T, bool]:
    """Run one writing transaction, also while other processes use the ledger. Returns its result,
    and whether this created the ledger, which it does only with `make`. Raises SetupError, and its
    subclass NoLedgerError if there is no ledger."""
    ledger = open_ledger(config, SystemClock(), Role.OPERATOR, make=make)

    def change(tx: LedgerTransaction) -> T:
        found = {} if config.discovery is None else discovered.load(tx)
        return work(tx, make_settings(config, ledger.owner, found))

    try:
        return await ledger.transact(change), ledger.created
    except LedgerUnavailable as error:
        raise SetupError(str(error)) from error
    finally:
        await ledger.close()


async def retry_once(
    config: Config,
    environ: Mapping[str, str],
    *,
    forced: bool,
    who: str,
    note: str,
    make: bool,
) -> Tried:
    """Check the one configured model and retry it if the limits allow that. If there is no ledger,
    `make` it. Raises SetupError, and its subclass NoLedgerError if there is no ledger."""
    (model_id,) = (model.id for model in config.models)
    async with open_engine(config, environ, Role.COMMAND, make=make) as engine:
        owner = engine.settings.owner
        (target,), began = await engine.ledger.transact(
            lambda tx: (targets_for_command(tx, engine.settings), tx.now())
        )
        order = await engine.ledger.transact(
            lambda tx: note_retry(tx, model_id, who=who, note=note)
        )
        checked = await engine.checker.check(target, forced=forced)
        for _ in range(_CONFLICTS):
            if not checked.overtaken:
                break
            checked = await engine.checker.check(checked.target, forced=forced)
        recent, now = await engine.ledger.transact(
            lambda tx: (tx.attempts.of(checked.target, since=began), tx.now())
        )
        # Not simply the newest attempt: another one may have a time in the future, written before
        # the clock was set back.
        attempt = next((each for each in recent if each.owner == owner), None)
        if attempt is None and not isinstance(checked.error, LedgerUnavailable):
            why = clean(str(checked.error or checked.target.decision.reason))
            await engine.ledger.transact(lambda tx: note_not_retried(tx, order, why=why, note=note))
        return Tried(checked.target, attempt, checked.error, now)


async def follow(
    config: Config,
    environ: Mapping[str, str],
    attempt: Attempt,
    progress: Callable[[Target, datetime], None],
) -> Attempt:
    """Watch an attempt to its end, with a daemon or without one. Raises SetupError."""
    async with open_engine(config, environ, Role.OPERATOR) as engine:
        while True:
            target = await engine.ledger.transact(lambda tx: tx.targets.get(attempt.model_id))
            if target is not None:
                await engine.checker.check(target, may_retry=False)
            target, found, now = await engine.ledger.transact(
                lambda tx: (tx.targets.get(attempt.model_id), tx.attempts.get(attempt.id), tx.now())
            )
            if target is None or found is None or not found.under_way:
                return found or attempt
            progress(target, now)
            await asyncio.sleep(engine.settings.recovery_interval.total_seconds())
