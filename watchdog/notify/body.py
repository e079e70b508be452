"""The body of the plain webhook. It is documented in docs/notifications.md; a change that is not an
addition needs another `VERSION`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from watchdog.domain.notices import Notice
from watchdog.notify.words import Links, command, headline, next_step, text, title
from watchdog.text.phrases import clock_time

VERSION = 1


def body(notices: Sequence[Notice], links: Links) -> dict[str, Any]:
    return {
        "version": VERSION,
        "source": "baseten-watchdog",
        "title": title(notices),
        "text": text(notices, links),
        "notices": [_notice(each, links) for each in notices],
    }


def _notice(notice: Notice, links: Links) -> dict[str, Any]:
    return {
        "event": notice.event,
        "at": clock_time(notice.at),
        "about": notice.subject,
        "headline": headline(notice),
        "sentence": notice.event.sentence,
        "detail": notice.detail,
        "needs_operator": notice.event.needs_operator,
        "observe": notice.observe,
        "model_id": notice.model_id,
        "name": notice.name,
        "team": notice.team,
        "status": notice.status,
        "deployment_id": notice.deployment_id,
        "since": _time(notice.since),
        "cause": notice.cause,
        "reason": notice.reason,
        "retries": [
            {
                "at": clock_time(each.at),
                "outcome": each.outcome,
                "reason": each.reason,
                "resolution": each.resolution,
            }
            for each in notice.tries
        ],
        "max_attempts": notice.max_attempts,
        "next": next_step(notice),
        "next_at": _time(notice.next_at),
        "who_acted": notice.actor,
        "error_line": notice.error_line,
        "command": command(notice),
        "logs_url": links.logs(notice),
        "page_url": links.page_of(notice),
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else clock_time(moment)
