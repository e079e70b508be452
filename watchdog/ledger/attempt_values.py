"""Converts an attempt to its row, and a row to its attempt."""

from typing import Any

from watchdog.domain.records import Attempt, Outcome, Resolution
from watchdog.ledger.rows import Row, deployment_of


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
        deployment=deployment_of(row["deployment_id"], row["deployment_created_at"]),
        made=deployment_of(row["made_id"], row["made_created_at"]),
        forbidden_key=row["forbidden_key"],
        api_date=row["api_date"],
        ahead_since=row["ahead_since"],
    )
