"""`history --json`."""

from collections.abc import Mapping
from typing import Any

from watchdog.cli.history_lines import Past, retry_results
from watchdog.domain.episode_notes import EpisodeNotes
from watchdog.domain.records import ActionKind, Attempt, Breakage, Episode
from watchdog.engine.fleet.shapes import action_json


def history_json(past: Past) -> dict[str, Any]:
    results = retry_results(past.actions, past.attempts)
    return {
        "episodes": [_episode_json(episode, past.findings) for episode in past.episodes],
        "attempts": [_attempt_json(attempt) for attempt in past.attempts],
        "actions": [
            action_json(each)
            | ({"result": results[each.id or 0]} if each.kind is ActionKind.RETRY else {})
            for each in past.actions
        ],
        "broken": [_breakage_json(breakage) for breakage in past.breakages],
    }


def _episode_json(episode: Episode, findings: Mapping[str, EpisodeNotes]) -> dict[str, Any]:
    finding = findings.get(episode.id, EpisodeNotes())
    return {
        "episode_id": episode.id,
        "model_id": episode.model_id,
        "deployment_id": episode.deployment.id,
        "status": episode.status,
        "standing": episode.standing,
        "opened_at": episode.opened_at,
        "ended_at": episode.ended_at,
        "result": episode.result,
        "cause": episode.cause,
        "ended_by": finding.actor,
        "error_lines": finding.error_lines,
    }


def _breakage_json(breakage: Breakage) -> dict[str, Any]:
    return {
        "model_id": breakage.model_id,
        "began_at": breakage.began_at,
        "status": breakage.status,
        "ended_at": breakage.ended_at,
    }


def _attempt_json(attempt: Attempt) -> dict[str, Any]:
    return {
        "attempt_id": attempt.id,
        "episode_id": attempt.episode_id,
        "model_id": attempt.model_id,
        "attempt": attempt.number,
        "outcome": attempt.outcome,
        "reason": attempt.reason,
        "reserved_at": attempt.reserved_at,
        "sent_at": attempt.sent_at,
        "answered_at": attempt.answered_at,
        "resolution": attempt.resolution,
        "resolved_at": attempt.resolved_at,
        "owner": attempt.owner,
    }
