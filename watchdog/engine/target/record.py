"""The transactions of a check and of an attempt: what is read, judged and written together."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from watchdog.domain.cause_rules import explained
from watchdog.domain.causes import Finding
from watchdog.domain.effects import named_in_answer, pushed
from watchdog.domain.limits import episode_used, of_episode
from watchdog.domain.records import (
    Attempt,
    Decision,
    DecisionKind,
    DecisionReason,
    DeploymentRef,
    Episode,
    Hold,
    Outcome,
    Target,
)
from watchdog.domain.removal import missed
from watchdog.domain.step import FIRST_LOOK, Transition
from watchdog.domain.transition import observe
from watchdog.engine.fleet.hold import keep_hold
from watchdog.engine.look import Look
from watchdog.engine.ports import Access, LedgerTransaction, VersionConflict
from watchdog.engine.settings import Settings
from watchdog.engine.target.judgement import forbidding_of, judge
from watchdog.engine.target.left_behind import end_with_its_target, resolve_and_read
from watchdog.engine.target.notices import say_cause, say_retried
from watchdog.engine.target.recorded import Recorded
from watchdog.engine.target.written import wake_first_waiting, write, write_attempts, write_step


def record_look(
    tx: LedgerTransaction, settings: Settings, seen: Target, look: Look, access: Access
) -> Recorded | None:
    """Record a look at a target and judge it. Returns None if the target is no longer watched, or
    if an attempt was reserved after the look: then the look says nothing about that attempt."""
    target = tx.targets.get(seen.model_id)
    if target is None or (seen.watched and not target.watched):
        return None
    attempts = resolve_and_read(tx, settings, target, look.at, look.date)
    if target.version != seen.version and any(a.reserved_at > look.at for a in attempts):
        tx.targets.make_due(target.model_id, tx.now())
        return None
    step = _step(settings, target, attempts, look)
    attempts = write_attempts(tx, step, attempts)
    judged = judge(tx, settings, step.target, attempts, access, look.at, date=look.date)
    return write(tx, settings, target, step, attempts, judged, look.at)


def reserve(
    tx: LedgerTransaction,
    settings: Settings,
    seen: Target,
    attempt_id: str,
    access: Access,
    *,
    forced: bool = False,
    date: datetime | None = None,
) -> tuple[Recorded, Attempt | None]:
    """Judge again with every limit computed anew, and insert the pending attempt. Returns no
    attempt when the judgement has changed. `forced` as in `decide`; `date` is the `Date` of the
    look before. Raises VersionConflict when the target has changed."""
    target = tx.targets.get(seen.model_id)
    if target is None or target.version != seen.version or target.episode is None:
        raise VersionConflict(seen.model_id)
    now = tx.now()
    attempts = resolve_and_read(tx, settings, target, now, date)
    judged = judge(tx, settings, target, attempts, access, now, forced=forced, date=date)
    if judged.decision.kind is not DecisionKind.RETRY:
        return write(tx, settings, target, Transition(target), attempts, judged, now), None
    attempt = Attempt(
        id=attempt_id,
        model_id=target.model_id,
        episode_id=target.episode.id,
        number=episode_used(target, attempts) + 1,
        owner=settings.owner,
        reserved_at=now,
        in_flight_until=now + settings.policy_of(target).stuck_after,
        deployment=target.deployment,
        api_date=date,
    )
    tx.attempts.add(attempt)
    canary = judged.note_reserved(attempt)
    under_way = Decision(DecisionKind.WAIT, DecisionReason.ATTEMPT_UNDER_WAY)
    judged = replace(judged, decision=under_way, ready_at=None)
    attempts = (*attempts, attempt)
    saved = write(tx, settings, target, Transition(target), attempts, judged, now)
    return replace(saved, canary=canary), attempt


def record_outcome(
    tx: LedgerTransaction,
    settings: Settings,
    attempt: Attempt,
    answered: DeploymentRef | None,
    look: Look | None,
    access: Access,
    throttled: Hold | None = None,
) -> Recorded | None:
    """Record the outcome of an attempt, adopt the deployment that the answer named, and apply the
    look that made the attempt be abandoned, if there was one. `throttled` is the hold that its 429
    asked for: other processes must obey it too."""
    now = tx.now()
    tx.attempts.record_answer(attempt)
    if throttled is not None:
        keep_hold(tx, throttled)
    target = tx.targets.get(attempt.model_id)
    end_with_its_target(tx, target, attempt, now)
    if target is None:
        return None
    date = attempt.api_date
    attempts, step = resolve_and_read(tx, settings, target, now, date), Transition(target)
    # A refused retry makes no deployment. If the deployment that such an answer names were adopted,
    # the next look would find another one and conclude that it was replaced.
    if answered is not None and attempt.outcome is Outcome.ACCEPTED:
        step = named_in_answer(target, attempts, attempt.id, answered)
    if look is not None:
        step = step.then(_step(settings, step.target, attempts, look))
    attempts = write_attempts(tx, step, attempts)
    if not attempt.under_way:
        wake_first_waiting(tx)
    forbidding = forbidding_of(tx, settings, access)
    forbidding.answered(attempt, attempts)
    judged = judge(
        tx, settings, step.target, attempts, access, now, forbidding=forbidding, date=date
    )
    blind = attempt.outcome is Outcome.ABANDONED and look is None
    if blind and judged.decision.kind is DecisionKind.RETRY:
        next_look = now + settings.recovery_interval
        wait = Decision(DecisionKind.WAIT, DecisionReason.LOOK_AGAIN_FAILED, next_look)
        judged = replace(judged, decision=wait)
    told = replace(step, attempts=()) if answered is not None else step
    first_look = now + FIRST_LOOK if attempt.under_way else None
    recorded = write(tx, settings, target, told, attempts, judged, now, first_look)
    if attempt.sent_at is not None:
        say_retried(tx, settings, recorded)
    return recorded


def record_push(tx: LedgerTransaction, settings: Settings, episode: Episode) -> Recorded | None:
    """End an episode, because a person's push had been taken for the effect of our attempt. Returns
    None if the episode has ended since."""
    target, now = _target_in(tx, settings, episode), tx.now()
    if target is None or target.episode is None or not target.episode.open:
        return None
    attempts = resolve_and_read(tx, settings, target, now)
    recorded = write_step(tx, settings, target, pushed(target, attempts, now), attempts, now)
    tx.targets.make_due(target.model_id, now)
    return recorded


def _target_in(tx: LedgerTransaction, settings: Settings, episode: Episode) -> Target | None:
    """The target of an episode; None if it is not configured, or has another episode now."""
    target = tx.targets.get(episode.model_id)
    if target is None or target.model_id not in settings.models or target.episode is None:
        return None
    return target if target.episode.id == episode.id else None


def record_cause(
    tx: LedgerTransaction,
    settings: Settings,
    episode: Episode,
    finding: Finding,
    lines: tuple[str, ...],
    at: datetime,
    access: Access,
) -> Recorded | None:
    """Record what was found of the failure at `at`, and judge its target with that. Returns None if
    the target now has another episode, or none."""
    if lines:
        tx.findings.note_error_lines(episode.id, lines)
    target, now = _target_in(tx, settings, episode), tx.now()
    if target is None or target.episode is None:
        return None
    attempts = resolve_and_read(tx, settings, target, now)
    own = explained(target.episode, of_episode(target, attempts), finding, at)
    step = Transition(replace(target, episode=own))
    judged = judge(tx, settings, step.target, attempts, access, now)
    # A retry that is due is sent by the next check.
    due = now if judged.decision.kind is DecisionKind.RETRY else None
    recorded = write(tx, settings, target, step, attempts, judged, now, due)
    say_cause(tx, settings, recorded)
    return recorded


def why_not_send(tx: LedgerTransaction, attempt: Attempt, *, forced: bool) -> str | None:
    """The reason in the ledger why a reserved attempt must not be sent any more, or None. A pause
    stops a forced attempt only if it was ordered after its reservation."""
    target = tx.targets.get(attempt.model_id)
    episode = target.episode if target is not None else None
    if episode is None or episode.id != attempt.episode_id or not episode.open:
        return "its episode ended meanwhile"
    if any(
        pause.model_id in (None, attempt.model_id)
        and (not forced or pause.at >= attempt.reserved_at)
        for pause in tx.actions.pauses()
    ):
        return "it was paused meanwhile"
    kept = tx.attempts.get(attempt.id)
    if kept is None or kept.outcome is not Outcome.PENDING:
        return "it is not pending in the ledger any more"
    return None


def _step(
    settings: Settings, target: Target, attempts: Sequence[Attempt], look: Look
) -> Transition:
    timing = settings.timing
    if look.observation is None:
        return missed(target, attempts, look.at, timing)
    return observe(target, attempts, look.observation, settings.policy_of(target), timing)
