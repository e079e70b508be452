"""Where a broken watchdog can be put together: every name of the program that one of them replaces
stands here, once. A name that is gone fails the import of this module."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from tests.fakes.ledger import InMemoryLedger
from tests.fakes.scripted_api import ScriptedApi
from tests.mutants.replacing import Broken, Change, everywhere, member
from watchdog.baseten_api.client import HttpBasetenApi
from watchdog.baseten_api.gate import Gate
from watchdog.clock import SystemClock
from watchdog.domain import (
    backoff,
    breaker,
    discovery,
    effects,
    episode,
    limits,
    policy,
    removal,
    status,
    transition,
)
from watchdog.domain.records import Outcome, Policy
from watchdog.engine.fleet import eligible, judges
from watchdog.engine.fleet.listing import SharedListing
from watchdog.engine.settings import Settings
from watchdog.engine.target import record
from watchdog.engine.target.attempt import Retrier
from watchdog.ledger import SqlLedger
from watchdog.ledger.attempt_rows import AttemptQueries
from watchdog.ledger.locks import FileLock
from watchdog.ledger.shared_clock import SharedClock
from watchdog.ledger.transaction import SqlTransaction

decide = partial(everywhere, policy.decide)
observe = partial(everywhere, transition.observe)
missed = partial(everywhere, removal.missed)
named_in_answer = partial(everywhere, effects.named_in_answer)
reset_target = partial(everywhere, episode.reset)
health_of = partial(everywhere, status.health_of)
is_paused = partial(everywhere, status.is_paused)
room_at = partial(everywhere, limits.room_at)
counts_at = partial(everywhere, limits.counts_at)
backoff_due = partial(everywhere, backoff.due)
breaker_condition_until = partial(everywhere, breaker.condition_until)
breaker_counts_from = partial(everywhere, breaker.counts_from)
breaker_needed_since = partial(everywhere, breaker.needed_since)
breaker_lapsed = partial(everywhere, breaker.lapsed)
may_judge = partial(everywhere, judges.may_judge)
living_others = partial(everywhere, judges.living_others)
may_be_retried = partial(everywhere, eligible.eligible)
canary_due_at = partial(everywhere, breaker.due_at)
canary_result = partial(everywhere, breaker.result_of)
after_listing = partial(everywhere, discovery.after_listing)
confirm_404 = partial(member, (SharedListing,), "confirm")

charged = partial(member, (Outcome,), "charged")
reserve = partial(everywhere, record.reserve)
shield = partial(member, (asyncio,), "shield")
last_questions = partial(member, (Retrier,), "_hindrance")
finish_sending = partial(member, (Retrier,), "finish")
clock_now = partial(member, (SystemClock,), "now")
gate_hold = partial(member, (Gate,), "hold")
key_refused = partial(member, (Gate,), "denied")
file_lock = partial(member, (FileLock,), "acquire")
daemons_clock = partial(member, (SharedClock,), "daemons")
sql_record_answer = partial(member, (AttemptQueries,), "record_answer")
sql_transaction = partial(everywhere, SqlTransaction)

_LEDGERS = (InMemoryLedger, SqlLedger)
_APIS = (ScriptedApi, HttpBasetenApi)

transact = partial(member, _LEDGERS, "transact")
knows_dead = partial(member, _LEDGERS, "knows_dead")
get_deployment = partial(member, _APIS, "get_deployment")
retry_hold = partial(member, _APIS, "retry_hold")


def post_retry(broken: Callable[..., Any]) -> Change:
    """Another way to send a retry when its turn has come. `broken` gets the right one."""

    def in_use(note: Callable[[Broken], Broken]) -> Broken:
        noted = note(broken)

        @asynccontextmanager
        async def broken_turn(right: Any, self: Any, model_id: str) -> AsyncIterator[Any]:
            async with right(self, model_id) as post:
                yield partial(noted, post)

        return broken_turn

    return replace(member(_APIS, "retry_turn", broken), in_use=in_use)


def ledger(name: str, broken: Callable[..., Any]) -> Change:
    """Another method of the port's transaction, on every ledger. `name` is as in `targets.save`;
    `broken` gets the right transaction and the arguments."""

    def in_use(note: Callable[[Broken], Broken]) -> Broken:
        noted = note(broken)

        async def broken_transact(right: Any, self: Any, work: Callable[[Any], Any]) -> Any:
            return await right(self, lambda tx: work(_Changed(tx, name, partial(noted, tx))))

        return broken_transact

    return replace(transact(broken), in_use=in_use)


def settings(change: Callable[[Settings], Settings]) -> Change:
    """Other settings than the engine was told."""
    return everywhere(Settings, lambda right, *args, **kwargs: change(right(*args, **kwargs)))


def policies(change: Callable[[Policy], Policy]) -> Change:
    """Another policy for every model than the engine was told."""

    def changed(right: Settings) -> Settings:
        models = {
            model_id: replace(model, policy=change(model.policy))
            for model_id, model in right.models.items()
        }
        return replace(right, models=models)

    return settings(changed)


class _Changed:
    """An object of which one attribute is another. The attribute may be one of an attribute."""

    def __init__(self, right: Any, name: str, instead: Any) -> None:
        own, _, inner = name.partition(".")
        self.__right = right
        self.__name = own
        self.__instead = _Changed(getattr(right, own), inner, instead) if inner else instead

    def __getattr__(self, name: str) -> Any:
        return self.__instead if name == self.__name else getattr(self.__right, name)
