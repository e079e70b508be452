"""Converts a target to its row, and a row to its target."""

from datetime import datetime
from typing import Any

from watchdog.domain.records import Decision, DecisionKind, DecisionReason, Episode, Health, Target
from watchdog.ledger.rows import Row, deployment_of

_OLDER_WORDS = {
    DecisionReason.FORBIDDEN: DecisionReason.REFUSED_TWICE,
    DecisionReason.BROKEN: DecisionReason.NOT_RETRYABLE,
    DecisionReason.CAUSE_PERMANENT: DecisionReason.EPISODE_SPENT,
}
_OLDER_HEALTHS = {Health.BROKEN: Health.NOT_RETRYABLE}
"""The words that programs of an older schema read in place of a newer word. With the newer word
they could not start."""


def target_values(target: Target) -> dict[str, Any]:
    """The columns of a target, except `spread`."""
    return {
        "model_id": target.model_id,
        "name": target.name,
        "watched": target.watched,
        "status": target.status,
        "health": _OLDER_HEALTHS.get(target.health, target.health) if target.health else None,
        "health_word": target.health,
        "deployment_id": target.deployment and target.deployment.id,
        "deployment_created_at": target.deployment and target.deployment.created_at,
        "status_since": target.status_since,
        "observed_at": target.observed_at,
        "failing_since": target.failing_since,
        "in_progress_since": target.in_progress_since,
        "inactive_as": target.inactive_as,
        "healthy_for": target.healthy_for,
        "missing_since": target.missing_since,
        "missing": target.missing,
        "window_since": target.window_since,
        "broke_at": target.broke_at,
        "observed_twice": target.observed_twice,
        "opted_out": target.opted_out,
        "seen_well": target.seen_well,
        "ready_at": target.ready_at,
        "queue_rank": target.queue_rank,
        "episode_id": target.episode and target.episode.id,
        "decision": target.decision.kind,
        "decision_reason": _older_word(target.decision.reason),
        "decision_word": target.decision.reason,
        "decision_until": target.decision.until,
        "next_check_at": target.next_check_at,
        "version": target.version,
        "written_version": target.version,
    }


def to_target(row: Row, episode: Episode | None, paused_until: datetime | None) -> Target:
    # If not, a program of an older schema wrote the row last, and did not write all columns.
    exact = row["written_version"] == row["version"]
    return Target(
        model_id=row["model_id"],
        name=row["name"],
        watched=row["watched"],
        status=row["status"],
        health=_health(row["health_word"] if exact else row["health"]),
        deployment=deployment_of(row["deployment_id"], row["deployment_created_at"]),
        status_since=row["status_since"],
        observed_at=row["observed_at"],
        failing_since=row["failing_since"],
        in_progress_since=row["in_progress_since"] if exact else None,
        inactive_as=_health(row["inactive_as"]) if exact else None,
        healthy_for=row["healthy_for"],
        missing_since=row["missing_since"],
        missing=row["missing"],
        paused_until=paused_until,
        window_since=row["window_since"],
        broke_at=row["broke_at"],
        observed_twice=row["observed_twice"],
        opted_out=row["opted_out"],
        seen_well=row["seen_well"],
        ready_at=row["ready_at"],
        queue_rank=row["queue_rank"],
        episode=episode,
        decision=Decision(
            DecisionKind(row["decision"]),
            _reason(row["decision_reason"], row["decision_word"]),
            row["decision_until"],
        ),
        next_check_at=row["next_check_at"],
        version=row["version"],
    )


def _health(word: str | None) -> Health | None:
    return None if word is None else Health(word)


def _older_word(reason: DecisionReason | None) -> DecisionReason | None:
    return None if reason is None else _OLDER_WORDS.get(reason, reason)


def _reason(older: str | None, word: str | None) -> DecisionReason | None:
    """The exact reason, unless a program of an older schema has written another one since."""
    exact = next((each for each in _OLDER_WORDS if each == word), None)
    if exact is not None and _OLDER_WORDS[exact] == older:
        return exact
    return None if older is None else DecisionReason(older)
