"""Writes the messages in docs/notifications.md anew, as the code prints them: `make reference`."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.generated import with_part
from watchdog.domain.causes import Cause
from watchdog.domain.notices import Notice, NoticeEvent, Try
from watchdog.domain.reasons import DecisionReason
from watchdog.domain.records import Outcome, Resolution
from watchdog.notify.body import body
from watchdog.notify.words import Links, text, title

DOCUMENT = Path(__file__).parents[1] / "docs" / "notifications.md"
LINKS = Links("https://watchdog.example.com")
AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)

_TRIES = (
    Try(AT - timedelta(minutes=64), Outcome.ACCEPTED, None, Resolution.REFAILED),
    Try(AT - timedelta(minutes=41), Outcome.REFUSED, "no capacity", Resolution.ANSWERED),
    Try(AT - timedelta(minutes=12), Outcome.UNKNOWN, None, Resolution.REFAILED),
)
_MODEL = Notice(
    NoticeEvent.GAVE_UP,
    AT,
    model_id="abc12345",
    name="llama-dev",
    team="team-a",
    status="BUILD_FAILED",
    deployment_id="def67890",
    since=AT - timedelta(minutes=66),
    cause=Cause.NETWORK,
    max_attempts=3,
)
_UNTIL = AT + timedelta(hours=3)

EXAMPLES = (
    replace(_MODEL, reason=DecisionReason.EPISODE_SPENT, tries=_TRIES),
    replace(
        _MODEL,
        event=NoticeEvent.STUCK,
        status="BUILDING",
        reason=DecisionReason.STUCK,
        tries=(replace(_TRIES[0], resolution=Resolution.STUCK),),
    ),
    replace(
        _MODEL,
        event=NoticeEvent.BROKEN,
        status="UNHEALTHY",
        cause=None,
        reason=DecisionReason.BROKEN,
        since=AT - timedelta(minutes=1),
    ),
    replace(
        _MODEL,
        event=NoticeEvent.RECOVERED,
        status="ACTIVE",
        reason=DecisionReason.HEALTHY,
        tries=_TRIES,
        actor="pushed by ann@example.com",
    ),
    replace(
        _MODEL,
        event=NoticeEvent.RETRIED,
        reason=DecisionReason.ATTEMPT_UNDER_WAY,
        tries=(Try(AT, Outcome.ACCEPTED),),
    ),
    Notice(
        NoticeEvent.BREAKER_OPENED,
        AT,
        detail="12 models began to fail within a short time, and 5 do not fail. The first model is "
        "retried at about 2026-03-02T09:50:00Z, and the others only after it has recovered.",
    ),
    Notice(
        NoticeEvent.BREAKER_CLOSED,
        AT,
        detail="They were not for 31m. abc12345 was retried and recovered.",
    ),
    Notice(NoticeEvent.KEY_REFUSED, AT, detail="It answers HTTP 401."),
    Notice(NoticeEvent.KEY_ACCEPTED, AT),
    Notice(
        NoticeEvent.RETRIES_FORBIDDEN,
        AT,
        detail="Retries of 3 models were answered with HTTP 403. Give the key a role that may "
        "retry deployments. One retry an hour finds out whether it may.",
    ),
    Notice(NoticeEvent.RETRIES_ALLOWED, AT, detail="It could not for 2h5m."),
    Notice(NoticeEvent.API_DOWN, AT, detail="The last request ended with: 503."),
    Notice(NoticeEvent.API_UP, AT),
    Notice(
        NoticeEvent.FLEET_BUDGET_SPENT,
        AT,
        detail="The limit is 50 retries (fleet.max_attempts_per_window).",
        next_at=_UNTIL,
    ),
    Notice(NoticeEvent.LEDGER_LOST, AT),
    Notice(NoticeEvent.LEDGER_BACK, AT),
)
"""One of each event."""

TOGETHER = tuple(
    replace(EXAMPLES[place], model_id=model_id, name=name)
    for place, model_id, name in (
        (0, "abc12345", "llama-dev"),
        (0, "bcd23456", "whisper-dev"),
        (2, "cde34567", "sdxl-dev"),
        (3, "def45678", "embeddings-dev"),
    )
)


def with_messages(document: str) -> str:
    """The document, with the messages and the body as the code makes them."""
    parts = "\n\n".join(_parts())
    document = with_part(document, "messages", parts)
    document = with_part(document, "together", _shown(TOGETHER))
    shown = json.dumps(body(EXAMPLES[:1], LINKS), indent=2, ensure_ascii=False)
    return with_part(document, "body", f"```json\n{shown}\n```")


def _parts() -> Iterator[str]:
    for notice in EXAMPLES:
        yield f"### `{notice.event}`\n\n{_shown((notice,))}"


def _shown(notices: tuple[Notice, ...]) -> str:
    return f"```text\n{title(notices)}\n\n{text(notices, LINKS)}\n```"


if __name__ == "__main__":
    DOCUMENT.write_text(with_messages(DOCUMENT.read_text()))
