"""The wrong functions of the mutants, each in place of one correct function."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import SelectBase, and_, bindparam, or_, select

from watchdog.baseten_api.bodies import DeploymentBody
from watchdog.baseten_api.client import HttpBasetenApi
from watchdog.domain import backoff, effects, transition
from watchdog.domain.causes import Cause
from watchdog.domain.limits import of_episode
from watchdog.domain.records import (
    Actor,
    Attempt,
    Decision,
    DecisionReason,
    Outcome,
    Policy,
    Resolution,
    Target,
)
from watchdog.domain.step import Transition
from watchdog.engine.fleet import judges
from watchdog.engine.ports import AnswerLost, Held, RetryAnswer
from watchdog.engine.settings import Settings
from watchdog.engine.target import written
from watchdog.engine.target.record import reserve
from watchdog.ledger.attempt_rows import visible
from watchdog.ledger.schema import attempts as attempts_table


async def _post_at_once(self: Any, attempt: Attempt) -> Any:
    try:
        async with self._api.retry_turn(attempt.model_id) as post:
            return await self._post(replace(attempt, sent_at=self._clock.now()), post)
    except Held as error:
        return self._abandoned(attempt, str(error))


async def an_operator(*_: object) -> Actor:
    return Actor.PERSON


async def nobody(*_: object) -> None:
    return None


async def send_without_a_look(
    self: Any, settings: Any, target: Target, attempt: Attempt, **_: Any
) -> Any:
    return await _post_at_once(self, attempt)


async def send_whatever_it_sees(
    self: Any, settings: Any, target: Target, attempt: Attempt, **_: Any
) -> Any:
    try:
        await self._api.get_deployment(target.model_id, urgent=True)
    except Exception as error:  # noqa: BLE001 - as the right one
        return self._abandoned(attempt, str(error))
    return await _post_at_once(self, attempt)


async def record_afterwards(self: Any, seen: Target, forced: bool, date: datetime | None) -> Target:
    settings, attempt_id = self._live.current, self._new_id()
    assert seen.episode is not None
    now = self._clock.now()
    early = Attempt(attempt_id, seen.model_id, seen.episode.id, 1, settings.owner, now)
    sent = await send_whatever_it_sees(self, settings, seen, early)
    recorded, attempt = await self._ledger.transact(
        lambda tx: reserve(tx, settings, seen, attempt_id, self._access(seen.model_id), date=date)
    )
    if attempt is not None:
        await self._record_outcome(settings, sent)
    after: Target = recorded.after
    return after


_retry = HttpBasetenApi._retry  # noqa: SLF001


async def retry_again(send: Any) -> RetryAnswer:
    try:
        return await _retry(send)
    except AnswerLost:
        return await _retry(send)


def forgive(tx: Any, attempt: Attempt) -> Attempt:
    now = tx.now()
    failed = replace(
        attempt,
        outcome=Outcome.FAILED,
        sent_at=None,
        resolution=Resolution.ANSWERED,
        resolved_at=now,
    )
    tx.attempts.record_answer(failed)
    return failed


def identify_strangers(target: Target, attempts: Any, seen: Any, rules: Policy) -> Transition:
    return _identified(target, (), seen, rules)


_identified = effects.identified


def due_after_the_post(
    failing_since: datetime, attempts: Any, rules: Policy, cause: Cause | None = None
) -> tuple[datetime, DecisionReason]:
    due, reason = _due(failing_since, attempts, rules, cause)
    paced = [attempt for attempt in attempts if attempt.sent_at is not None]
    if not paced or reason is not DecisionReason.BACKOFF:
        return due, reason
    last = paced[-1]
    charged = sum(attempt.outcome.charged for attempt in paced)
    return last.sent_at + backoff.backoff(last.episode_id, charged, rules, cause), reason


_due = backoff.due


def exhausted_by_number_alone(target: Target, attempts: Any, rules: Policy) -> Any:
    charged = [a for a in of_episode(target, attempts) if a.outcome.charged]
    return DecisionReason.EPISODE_SPENT if len(charged) >= rules.max_attempts else None


def sleep_in(
    settings: Any, target: Target, attempts: Any, decision: Decision, now: datetime
) -> datetime | None:
    soon = _next_check(settings, target, attempts, decision, now)
    return None if decision.reason is DecisionReason.BACKOFF else soon


_next_check = written._next_check  # noqa: SLF001


def only_daemons_judge(tx: Any, settings: Settings, needed_since: datetime) -> bool:
    return settings.is_daemon and _may_judge(tx, settings, needed_since)


_may_judge = judges.may_judge


async def believe_the_404(self: Any, model_id: str, error: Any, *, after: Any) -> None:
    return None


class AnyDeployment(DeploymentBody):
    """An answer for any model and any of its deployments."""

    model_id: str
    is_development: bool


def only_those_under_way(target: Target, attempts: Any, at: datetime, policy: Policy) -> Any:
    return [attempt for attempt in attempts if attempt.under_way]


def free_the_place_at_once(target: Target, attempts: Any, at: datetime, *rest: Any) -> Any:
    failed = _refailed(target, attempts, at, *rest)
    return tuple(replace(attempt, in_flight_until=at) for attempt in failed)


_refailed = transition._refailed  # noqa: SLF001


def one_uncharged_at_most(episode_attempts: Any) -> int:
    return min(1, _uncharged_in_a_row(episode_attempts))


_uncharged_in_a_row = backoff._uncharged_in_a_row  # noqa: SLF001


def in_flight_until_seen(self: Attempt, now: datetime, date: datetime | None = None) -> bool:
    return self.under_way or _in_flight(self, now, date)


_in_flight = Attempt.in_flight


def rows_in_flight_until_seen(*, dated: bool, observe: bool) -> SelectBase:
    del dated
    rows = attempts_table.c
    held = or_(
        rows.resolved_at.is_(None), and_(rows.presumed, rows.in_flight_until > bindparam("now"))
    )
    return select(rows.model_id).where(held, visible(observe=observe))
