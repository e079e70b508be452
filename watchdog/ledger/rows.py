"""Between the domain's records and rows."""

import hashlib
from datetime import datetime
from typing import Any, Protocol

from watchdog.domain.breaker import Canary, CanaryResult, ClosedBy, Opening
from watchdog.domain.records import (
    Action,
    ActionKind,
    Attempt,
    Decision,
    DecisionKind,
    DecisionReason,
    DeploymentRef,
    Episode,
    EpisodeResult,
    Health,
    Outcome,
    Resolution,
    Target,
)
from watchdog.domain.replica import Replica


class Row(Protocol):
    """A row by column names."""

    def __getitem__(self, name: str, /) -> Any: ...


def target_values(target: Target) -> dict[str, Any]:
    """The columns of a target, without what only the claims write."""
    return {
        "model_id": target.model_id,
        "name": target.name,
        "watched": target.watched,
        "status": target.status,
        "health": target.health,
        "deployment_id": target.deployment and target.deployment.id,
        "deployment_created_at": target.deployment and target.deployment.created_at,
        "status_since": target.status_since,
        "observed_at": target.observed_at,
        "failing_since": target.failing_since,
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
    }


def to_target(row: Row, episode: Episode | None, paused_until: datetime | None) -> Target:
    return Target(
        model_id=row["model_id"],
        name=row["name"],
        watched=row["watched"],
        status=row["status"],
        health=None if row["health"] is None else Health(row["health"]),
        deployment=_deployment(row["deployment_id"], row["deployment_created_at"]),
        status_since=row["status_since"],
        observed_at=row["observed_at"],
        failing_since=row["failing_since"],
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


def _deployment(deployment_id: str | None, created_at: datetime) -> DeploymentRef | None:
    return None if deployment_id is None else DeploymentRef(deployment_id, created_at)


_OLDER_WORDS = {DecisionReason.FORBIDDEN: DecisionReason.REFUSED_TWICE}
"""What programs of an older schema read in place of a reason that they do not know: they would not
start."""


def _older_word(reason: DecisionReason | None) -> DecisionReason | None:
    return None if reason is None else _OLDER_WORDS.get(reason, reason)


def _reason(older: str | None, word: str | None) -> DecisionReason | None:
    """The exact reason, unless a program of an older schema has written another one since."""
    exact = next((each for each in _OLDER_WORDS if each == word), None)
    if exact is not None and _OLDER_WORDS[exact] == older:
        return exact
    return None if older is None else DecisionReason(older)


def episode_values(episode: Episode) -> dict[str, Any]:
    return {
        "id": episode.id,
        "model_id": episode.model_id,
        "deployment_id": episode.deployment.id,
        "deployment_created_at": episode.deployment.created_at,
        "status": episode.status,
        "opened_at": episode.opened_at,
        "failing_from": episode.failing_from,
        "standing": episode.standing,
        "ended_at": episode.ended_at,
        "result": episode.result,
    }


def to_episode(row: Row) -> Episode:
    return Episode(
        id=row["id"],
        model_id=row["model_id"],
        deployment=DeploymentRef(row["deployment_id"], row["deployment_created_at"]),
        status=row["status"],
        opened_at=row["opened_at"],
        failing_from=row["failing_from"],
        standing=row["standing"],
        ended_at=row["ended_at"],
        result=None if row["result"] is None else EpisodeResult(row["result"]),
    )


def attempt_values(attempt: Attempt) -> dict[str, Any]:
    return {
        "id": attempt.id,
        "model_id": attempt.model_id,
        "episode_id": attempt.episode_id,
        "number": attempt.number,
        "owner": attempt.owner,
        "reserved_at": attempt.reserved_at,
        "outcome": attempt.outcome,
        "sent_at": attempt.sent_at,
        "answered_at": attempt.answered_at,
        "reason": attempt.reason,
        "resolution": attempt.resolution,
        "resolved_at": attempt.resolved_at,
        "presumed": attempt.presumed,
        "in_flight_until": attempt.in_flight_until,
        "deployment_id": attempt.deployment and attempt.deployment.id,
        "deployment_created_at": attempt.deployment and attempt.deployment.created_at,
        "made_id": attempt.made and attempt.made.id,
        "made_created_at": attempt.made and attempt.made.created_at,
        "forbidden_key": attempt.forbidden_key,
        "api_date": attempt.api_date,
        "ahead_since": attempt.ahead_since,
    }


def to_attempt(row: Row) -> Attempt:
    return Attempt(
        id=row["id"],
        model_id=row["model_id"],
        episode_id=row["episode_id"],
        number=row["number"],
        owner=row["owner"],
        reserved_at=row["reserved_at"],
        outcome=Outcome(row["outcome"]),
        sent_at=row["sent_at"],
        answered_at=row["answered_at"],
        reason=row["reason"],
        resolution=None if row["resolution"] is None else Resolution(row["resolution"]),
        resolved_at=row["resolved_at"],
        presumed=row["presumed"],
        in_flight_until=row["in_flight_until"],
        deployment=_deployment(row["deployment_id"], row["deployment_created_at"]),
        made=_deployment(row["made_id"], row["made_created_at"]),
        forbidden_key=row["forbidden_key"],
        api_date=row["api_date"],
        ahead_since=row["ahead_since"],
    )


def opening_values(opening: Opening) -> dict[str, Any]:
    return {
        "id": opening.id,
        "opened_at": opening.opened_at,
        "failures": opening.failures,
        "not_failing": opening.not_failing,
        "held_until": opening.condition_until,
        "closed_at": opening.closed_at,
        # Programs of an older schema do not know that word.
        "closed_by": None if opening.closed_by is ClosedBy.LAPSED else opening.closed_by,
        "judged_at": opening.judged_at,
    }


def to_opening(row: Row) -> Opening:
    closed_by = None if row["closed_by"] is None else ClosedBy(row["closed_by"])
    if row["closed_at"] is not None and closed_by is None:
        closed_by = ClosedBy.LAPSED
    return Opening(
        id=row["id"],
        opened_at=row["opened_at"],
        failures=row["failures"],
        not_failing=row["not_failing"],
        condition_until=row["held_until"],
        closed_at=row["closed_at"],
        closed_by=closed_by,
        judged_at=row["judged_at"],
    )


def canary_values(canary: Canary) -> dict[str, Any]:
    return {
        "id": canary.id,
        "opening_id": canary.opening_id,
        "model_id": canary.model_id,
        "named_at": canary.named_at,
        "attempt_id": canary.attempt_id,
        "ended_at": canary.ended_at,
        "result": canary.result,
    }


def to_canary(row: Row) -> Canary:
    return Canary(
        id=row["id"],
        opening_id=row["opening_id"],
        model_id=row["model_id"],
        named_at=row["named_at"],
        attempt_id=row["attempt_id"],
        ended_at=row["ended_at"],
        result=None if row["result"] is None else CanaryResult(row["result"]),
    )


def action_values(action: Action) -> dict[str, Any]:
    """Without the id, which the database gives."""
    return {
        "at": action.at,
        "kind": action.kind,
        "model_id": action.model_id,
        "who": action.who,
        "note": action.note,
        "until": action.until,
        "ended_at": action.ended_at,
    }


def to_action(row: Row) -> Action:
    return Action(
        at=row["at"],
        kind=ActionKind(row["kind"]),
        model_id=row["model_id"],
        who=row["who"],
        note=row["note"],
        until=row["until"],
        ended_at=row["ended_at"],
        id=row["id"],
    )


def replica_values(replica: Replica) -> dict[str, Any]:
    return {
        "id": replica.id,
        "version": replica.version,
        "started_at": replica.started_at,
        "configured_at": replica.configured_at,
        "seen_at": replica.seen_at,
        "active": replica.active,
    }


def to_replica(row: Row) -> Replica:
    return Replica(
        id=row["id"],
        version=row["version"],
        started_at=row["started_at"],
        configured_at=row["configured_at"],
        seen_at=row["seen_at"],
        active=row["active"],
    )


def spread(model_id: str) -> float:
    """A target's share of the spread of check times: stable, in [0, 1)."""
    return int.from_bytes(hashlib.sha256(model_id.encode()).digest()[:6]) / 2**48
