"""What the ledger holds about the fleet, in the shapes that `status --json` prints and the web
server's JSON API answers. docs/api.md describes each field."""

from datetime import datetime
from typing import Any

from watchdog.domain.limits import fleet_remaining
from watchdog.domain.records import Action, Fleet, Target
from watchdog.domain.replica import Replica
from watchdog.domain.status import needs_operator, state_of
from watchdog.engine.fleet.groups import Group, groups
from watchdog.engine.fleet.overview import Overview, Watched
from watchdog.text.links import logs_link, model_link


def target_json(watched: Watched, now: datetime, app_url: str) -> dict[str, Any]:
    """`app_url` is where its links lead."""
    target, policy = watched.target, watched.policy
    return {
        "model_id": target.model_id,
        "model_name": target.name,
        "team": watched.team,
        "watched": target.watched,
        "state": state_of(target),
        "status": target.status,
        "since": target.status_since,
        "deployment_id": target.deployment.id if target.deployment else None,
        "failing_since": target.failing_from,
        "episode_id": target.episode.id if target.episode else None,
        "cause": target.episode.cause if target.episode and target.episode.open else None,
        "attempts_used": watched.used,
        "attempts_allowed": policy.max_attempts if policy else None,
        "window_remaining": watched.window_left(now),
        "paused_until": target.paused_until,
        "next_attempt_at": target.decision.until,
        "queue_place": watched.place,
        "needs_operator": needs_operator(target),
        "decision": target.decision.kind,
        "decision_reason": target.decision.reason,
        "links": _links_json(target, app_url),
    }


def _links_json(target: Target, app_url: str) -> dict[str, Any]:
    model_id, deployment = target.model_id, target.deployment
    return {
        "model": model_link(app_url, model_id),
        "logs": logs_link(app_url, model_id, deployment.id) if deployment else None,
    }


def fleet_json(seen: Overview) -> dict[str, Any]:
    """What concerns more than one target."""
    counts = groups(each.target for each in seen.targets)
    return {
        "mode": seen.mode,
        "pauses": [action_json(pause) for pause in seen.pauses],
        "breaker_open": seen.opening is not None,
        "replicas": [_replica_json(replica, seen.now) for replica in seen.replicas],
        "summary": {group.value: counts[group] for group in Group},
        "fleet": _limits_json(seen.fleet, seen.now),
        "api": {"key_accepted": seen.api.key_accepted, "up": seen.api.up},
    }


def action_json(action: Action) -> dict[str, Any]:
    return {
        "at": action.at,
        "action": action.kind,
        "model_id": action.model_id,
        "who": action.who,
        "note": action.note,
        "until": action.until,
        "ended_at": action.ended_at,
    }


def _limits_json(fleet: Fleet, now: datetime) -> dict[str, Any]:
    left, limits = fleet_remaining(fleet, now), fleet.limits
    return {
        "minute_remaining": left.minute,
        "minute_allowed": limits.max_retries_per_minute,
        "in_flight_remaining": left.in_flight,
        "in_flight_allowed": limits.max_in_flight,
        "window_remaining": left.window,
        "window_allowed": limits.max_attempts_per_window,
    }


def _replica_json(replica: Replica, now: datetime) -> dict[str, Any]:
    return {
        "replica": replica.id,
        "state": replica.state(now),
        "version": replica.version,
        "started_at": replica.started_at,
        "configured_at": replica.configured_at,
        "seen_at": replica.seen_at,
    }
