"""Makes notices of what was recorded about one target."""

from collections.abc import Iterator
from dataclasses import replace

from watchdog.domain.limits import of_episode
from watchdog.domain.notices import Notice, NoticeEvent, Try
from watchdog.domain.records import Attempt, DecisionReason, Episode
from watchdog.engine.fleet.saying import say, say_more, say_news
from watchdog.engine.fleet.teams import load as load_teams
from watchdog.engine.ports import LedgerTransaction
from watchdog.engine.settings import Settings
from watchdog.engine.target.recorded import Recorded

_MOST_ATTEMPTS = 100
"""More than a message shows."""


def say_recorded(tx: LedgerTransaction, settings: Settings, recorded: Recorded) -> None:
    """Write down, in the transaction that recorded it, what the receivers are to be notified of."""
    if not settings.receivers:
        return
    for event in _happened(recorded):
        say(tx, settings, _notice(tx, settings, recorded, event))
    if _spent_budget(recorded):
        budget = Notice(
            NoticeEvent.FLEET_BUDGET_SPENT,
            tx.now(),
            observe=settings.observe,
            detail=f"The limit is {settings.limits.max_attempts_per_window} retries "
            "(fleet.max_attempts_per_window).",
            next_at=recorded.after.decision.until,
        )
        say(tx, settings, budget)
    say_news(tx, settings, recorded.news)


def say_retried(tx: LedgerTransaction, settings: Settings, recorded: Recorded) -> None:
    """Write a notice of an attempt that was sent."""
    if any(NoticeEvent.RETRIED in each.events for each in settings.receivers):
        say(tx, settings, _notice(tx, settings, recorded, NoticeEvent.RETRIED))


def say_cause(tx: LedgerTransaction, settings: Settings, recorded: Recorded) -> None:
    """Add a cause that was found to the notice of giving up, if that still waits to be sent."""
    if settings.receivers:
        say_more(tx, settings, _notice(tx, settings, recorded, NoticeEvent.GAVE_UP))


def _happened(recorded: Recorded) -> Iterator[NoticeEvent]:
    if recorded.gave_up:
        yield NoticeEvent.GAVE_UP
    if recorded.attempt_got_stuck or recorded.got_stuck_by_itself:
        yield NoticeEvent.STUCK
    if recorded.became_broken:
        yield NoticeEvent.BROKEN
    if recorded.became_healthy:
        yield NoticeEvent.RECOVERED


def _spent_budget(recorded: Recorded) -> bool:
    spent = DecisionReason.FLEET_WINDOW_SPENT
    return recorded.has_new_reason and recorded.after.decision.reason is spent


def _notice(
    tx: LedgerTransaction, settings: Settings, recorded: Recorded, event: NoticeEvent
) -> Notice:
    target, model = recorded.after, settings.models.get(recorded.after.model_id)
    notice = Notice(
        event=event,
        at=tx.now(),
        observe=settings.observe,
        model_id=target.model_id,
        name=target.name,
        team=load_teams(tx).get(target.model_id),
        status=target.status,
        deployment_id=None if target.deployment is None else target.deployment.id,
        since=target.failing_from or target.in_progress_since or target.status_since,
        reason=target.decision.reason,
        max_attempts=None if model is None else model.policy.max_attempts,
        next_at=target.decision.until,
    )
    episode, attempts = _failure(tx, recorded, event)
    if episode is None:
        return notice
    notes = tx.findings.of(target.model_id).get(episode.id)
    lines = () if notes is None else notes.error_lines
    return replace(
        notice,
        since=episode.failing_from,
        cause=episode.cause,
        tries=tuple(map(_try, attempts)),
        actor=None if notes is None else notes.actor,
        error_line=lines[-1] if lines else None,
    )


def _failure(
    tx: LedgerTransaction, recorded: Recorded, event: NoticeEvent
) -> tuple[Episode | None, tuple[Attempt, ...]]:
    """The episode that a notice is about, and its attempts. A recovery may follow long after the
    end of the episode, for example after a push."""
    target = recorded.after
    if target.episode is not None:
        return target.episode, of_episode(target, recorded.attempts)
    if event is not NoticeEvent.RECOVERED:
        return None, ()
    episode = next(iter(tx.episodes.newest(target.model_id, limit=1)), None)
    if episode is None:
        return None, ()
    newest = tx.attempts.newest(target.model_id, limit=_MOST_ATTEMPTS)
    own = [attempt for attempt in newest if attempt.episode_id == episode.id]
    return episode, tuple(reversed(own))


def _try(attempt: Attempt) -> Try:
    return Try(
        attempt.sent_at or attempt.reserved_at, attempt.outcome, attempt.reason, attempt.resolution
    )
