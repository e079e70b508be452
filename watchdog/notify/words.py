"""The texts of the messages."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from watchdog.domain.notices import Notice, NoticeEvent, Try
from watchdog.domain.records import Outcome, Resolution
from watchdog.text.links import APP_URL, logs_link, model_link
from watchdog.text.phrases import clock_time

_MOST_IN_FULL = 3
"""Up to this many notices in one message are described in full. If there are more, each has one
line."""

_MOST_LINES = 30
"""At most this many notices have a line in one message. The others are only counted."""


@dataclass(frozen=True, slots=True)
class Links:
    """Where a message links to. `page` is the URL of the watchdog's page, if people can reach it;
    `app` that of Baseten's web application."""

    page: str | None = None
    app: str = APP_URL

    def logs(self, notice: Notice) -> str | None:
        """The model in Baseten, and there the logs of its deployment."""
        if notice.model_id is None:
            return None
        if notice.deployment_id is None:
            return model_link(self.app, notice.model_id)
        return logs_link(self.app, notice.model_id, notice.deployment_id)

    def page_of(self, notice: Notice) -> str | None:
        if self.page is None or notice.model_id is None:
            return self.page
        return f"{self.page}/targets/{notice.model_id}"


def title(notices: Sequence[Notice]) -> str:
    """One line that says what happened."""
    if len(notices) == 1:
        return headline(notices[0])
    counts = Counter(notice.event for notice in notices)
    return ", ".join(
        f"{count} {_COUNTED[event]}" if event.about_model else _WORDS[event]
        for event, count in counts.items()
    )


def headline(notice: Notice) -> str:
    """One line that says what happened, for one notice."""
    words = _WORDS[notice.event]
    if notice.event.about_model:
        return f"{_called(notice)} {words}"
    return words[0].upper() + words[1:]


def text(notices: Sequence[Notice], links: Links) -> str:
    """The message below its title."""
    if len(notices) <= _MOST_IN_FULL:
        return "\n\n".join(_in_full(each, links, len(notices)) for each in notices)
    lines = [_in_short(notice) for notice in notices[:_MOST_LINES]]
    if len(notices) > _MOST_LINES:
        lines.append(f"- and {len(notices) - _MOST_LINES} more")
    lines += ["", "All models: baseten-watchdog status"]
    return "\n".join([*lines, *([f"Page: {links.page}"] if links.page else [])])


def command(notice: Notice) -> str | None:
    """The command for an operator."""
    _, found = _COMMANDS.get(notice.event, ("", ""))
    return found.format(id=notice.model_id) or None


def next_step(notice: Notice) -> str | None:
    """What the watchdog does next, and when."""
    then = _NEXT.get(notice.event)
    if then is not None and notice.next_at is not None:
        return f"{then} The next change is due at {clock_time(notice.next_at)}."
    return then


def _called(notice: Notice) -> str:
    return _harmless(notice.name or notice.model_id or "")


def _in_full(notice: Notice, links: Links, of: int) -> str:
    return "\n".join(_lines(notice, links, of))


def _lines(notice: Notice, links: Links, of: int) -> Iterator[str]:
    if of > 1:
        yield headline(notice)
    if notice.event.about_model:
        team = f", team {_harmless(notice.team)}" if notice.team else ""
        yield f"Model {_called(notice)} ({notice.model_id}{team})"
    yield notice.event.sentence + (f" {notice.detail}" if notice.detail else "")
    if notice.observe:
        yield "The watchdog only observes (mode: observe): it sends no retries."
    yield ""
    if notice.event.about_model:
        yield from _facts(notice)
    yield f"Time: {clock_time(notice.at)}"
    for label, value in (
        ("Next", next_step(notice)),
        (_COMMANDS.get(notice.event, ("", ""))[0], command(notice)),
        ("Logs", links.logs(notice)),
        ("Page", links.page_of(notice)),
    ):
        if value:
            yield f"{label}: {value}"


def _facts(notice: Notice) -> Iterator[str]:
    since = f", since {clock_time(notice.since)}" if notice.since else ""
    if notice.event is NoticeEvent.RECOVERED:
        since = f"; it failed from {clock_time(notice.since)}" if notice.since else ""
    yield f"Status: {notice.status or 'none, the API knows no such deployment'}{since}"
    if notice.cause is not None:
        yield f"Cause: {notice.cause}. {notice.cause.sentence}"
    if notice.reason is not None and notice.event is not NoticeEvent.RECOVERED:
        yield f"Reason: {notice.reason.sentence}"
    charged = sum(each.outcome.charged for each in notice.tries)
    if notice.event is not NoticeEvent.BROKEN or notice.tries:
        yield f"Retries: {charged} of {notice.max_attempts}"
    for each in notice.tries:
        yield f"- {_try(each)}"
    if notice.actor:
        yield f"Who acted: {_harmless(notice.actor)}"
    if notice.error_line:
        yield f"Last line of the log: {_harmless(notice.error_line)}"


def _try(each: Try) -> str:
    said = f" ({_harmless(each.reason)})" if each.reason else ""
    ended = _ENDED.get(each.resolution) if each.resolution else "its result is not known yet"
    answered = f"{clock_time(each.at)}: {_ANSWERED[each.outcome]}{said}"
    return f"{answered}; {ended}" if ended else answered


def _in_short(notice: Notice) -> str:
    if not notice.event.about_model:
        return f"- {headline(notice)}. {notice.detail or ''}".rstrip()
    cause = f", cause {notice.cause}" if notice.cause else ""
    return f"- {headline(notice)} ({notice.model_id}, {notice.status or 'missing'}{cause})"


_MENTION = re.compile(r"<(?=[!@])|@(?=everyone|here|(channel|all)\b)", re.IGNORECASE)
"""What begins the mention of a group or a person in Slack, Discord, Mattermost and the like.
`ann@allianz.com` is none."""


def _harmless(untrusted: str) -> str:
    """Change text from outside so that it mentions no person and no group in a chat."""
    return _MENTION.sub(lambda found: f"{found[0]} ", untrusted)


_WORDS = {
    NoticeEvent.GAVE_UP: "is failing, and the watchdog gave up",
    NoticeEvent.STUCK: "is stuck",
    NoticeEvent.BROKEN: "is broken",
    NoticeEvent.RECOVERED: "recovered",
    NoticeEvent.RETRIED: "was retried",
    NoticeEvent.BREAKER_OPENED: "many models fail at once",
    NoticeEvent.BREAKER_CLOSED: "models are retried as usual again",
    NoticeEvent.KEY_REFUSED: "Baseten refuses the API key",
    NoticeEvent.KEY_ACCEPTED: "Baseten accepts the API key again",
    NoticeEvent.RETRIES_FORBIDDEN: "the API key may not retry",
    NoticeEvent.RETRIES_ALLOWED: "the API key may retry again",
    NoticeEvent.API_DOWN: "Baseten's API does not answer",
    NoticeEvent.API_UP: "Baseten's API answers again",
    NoticeEvent.FLEET_BUDGET_SPENT: "the retries of all models are used up",
    NoticeEvent.LEDGER_LOST: "the watchdog's ledger does not answer",
    NoticeEvent.LEDGER_BACK: "the watchdog's ledger answers again",
}

_COUNTED = {
    NoticeEvent.GAVE_UP: "given up",
    NoticeEvent.STUCK: "stuck",
    NoticeEvent.BROKEN: "broken",
    NoticeEvent.RECOVERED: "recovered",
    NoticeEvent.RETRIED: "retried",
}

_NEXT = {
    NoticeEvent.GAVE_UP: "The watchdog retries it no more, until a new deployment is pushed, it "
    "recovers, or an operator resets it.",
    NoticeEvent.STUCK: "The watchdog goes on looking. It retries the model if it fails.",
    NoticeEvent.BROKEN: "The watchdog goes on looking, and does not retry it while it has this "
    "status.",
    NoticeEvent.RETRIED: "The watchdog looks at the model every few seconds until it recovers or "
    "fails again.",
    NoticeEvent.FLEET_BUDGET_SPENT: "Failing models are retried again as the oldest retries become "
    "older than 24 hours.",
    NoticeEvent.API_DOWN: "The watchdog goes on asking, at most every five minutes.",
    NoticeEvent.KEY_REFUSED: "The watchdog goes on asking.",
    NoticeEvent.LEDGER_LOST: "The watchdog goes on looking, and retries nothing.",
}

_DOCTOR = ("To find out more", "baseten-watchdog doctor")
_HISTORY = ("To see what happened", "baseten-watchdog history {id}")

_COMMANDS = {
    NoticeEvent.GAVE_UP: (
        "To have it retried again, once its cause is fixed",
        "baseten-watchdog reset {id}",
    ),
    NoticeEvent.STUCK: _HISTORY,
    NoticeEvent.BROKEN: _HISTORY,
    NoticeEvent.BREAKER_OPENED: ("To see what happened", "baseten-watchdog history --fleet"),
    NoticeEvent.KEY_REFUSED: _DOCTOR,
    NoticeEvent.RETRIES_FORBIDDEN: _DOCTOR,
    NoticeEvent.API_DOWN: _DOCTOR,
    NoticeEvent.FLEET_BUDGET_SPENT: ("To see who waits", "baseten-watchdog status"),
    NoticeEvent.LEDGER_LOST: _DOCTOR,
}
"""For each event: what its command is for, and the command."""

_ANSWERED = {
    Outcome.PENDING: "reserved",
    Outcome.ACCEPTED: "accepted",
    Outcome.REFUSED: "refused",
    Outcome.THROTTLED: "answered that it was too early (429)",
    Outcome.ABANDONED: "not sent",
    Outcome.FAILED: "not executed",
    Outcome.UNKNOWN: "the answer was lost",
    Outcome.DRY_RUN: "would have been sent",
}

_ENDED = {
    Resolution.RECOVERED: "it recovered",
    Resolution.REFAILED: "it failed again",
    Resolution.STUCK: "no result in time",
    Resolution.SUPERSEDED: "an operator acted",
    Resolution.REMOVED: "the model was removed",
}
