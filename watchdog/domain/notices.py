"""What a receiver can be notified of."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from watchdog.domain.causes import Cause
from watchdog.domain.reasons import DecisionReason
from watchdog.domain.records import Outcome, Resolution

QUIET = timedelta(hours=1)
"""After a notice that an operator is needed, the next such notice about the same model, or about
the fleet, waits this long. So a model that flaps is mentioned at most once an hour."""

BUDGET_QUIET = timedelta(hours=24)
"""The same for the fleet's budget, which is one of 24 hours."""


class NoticeEvent(StrEnum):
    """What a receiver can be notified of. The words are those of the setting `notify.events`.

    `sentence` says what happened. `scope` is what the event is about unless it is a model.
    `ended_by` is the event that says that it is over. `quiet` is the least time between two notices
    about the same thing.
    """

    sentence: str
    scope: str
    ended_by: "NoticeEvent | None"
    quiet: timedelta

    def __new__(
        cls, word: str, sentence: str = "", scope: str = "", quiet: timedelta = timedelta(0)
    ) -> "NoticeEvent":
        """The defaults are needed only for `NoticeEvent(word)`, which finds the member."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.sentence = sentence
        member.scope = scope
        member.ended_by = None
        member.quiet = quiet
        return member

    GAVE_UP = "gave_up", "The watchdog gave up retrying it: an operator is needed.", "", QUIET
    STUCK = "stuck", "It has been in progress for too long: an operator is needed.", "", QUIET
    BROKEN = "broken", "It does not work and is not retried: an operator is needed.", "", QUIET
    RECOVERED = "recovered", "It is healthy again."
    RETRIED = "retried", "It was retried."
    BREAKER_OPENED = (
        "breaker_opened",
        "Many models began to fail at once, so only one is retried at a time.",
        "breaker",
        QUIET,
    )
    BREAKER_CLOSED = "breaker_closed", "Models are retried as usual again.", "breaker"
    KEY_REFUSED = (
        "key_refused",
        "Baseten refuses the API key: nothing can be seen or retried.",
        "key",
        QUIET,
    )
    KEY_ACCEPTED = "key_accepted", "Baseten accepts the API key again.", "key"
    RETRIES_FORBIDDEN = (
        "retries_forbidden",
        "The API key is accepted, but its role may not retry any model.",
        "retries",
        QUIET,
    )
    RETRIES_ALLOWED = "retries_allowed", "The API key may retry models again.", "retries"
    API_DOWN = "api_down", "Baseten's API has not answered for more than 10 minutes.", "api", QUIET
    API_UP = "api_up", "Baseten's API answers again.", "api"
    FLEET_BUDGET_SPENT = (
        "fleet_budget_spent",
        "All models together have used up the retries of 24 hours.",
        "fleet_budget",
        BUDGET_QUIET,
    )
    LEDGER_LOST = (
        "ledger_lost",
        "The ledger does not answer: nothing is retried until it does.",
        "ledger",
        QUIET,
    )
    LEDGER_BACK = "ledger_back", "The ledger answers again.", "ledger"

    @property
    def about_model(self) -> bool:
        return not self.scope

    @property
    def needs_operator(self) -> bool:
        """Whether it lasts until another event says that it is over."""
        return self.ended_by is not None

    @property
    def is_end(self) -> bool:
        return self in _ENDS


_ENDED_BY = {
    NoticeEvent.GAVE_UP: NoticeEvent.RECOVERED,
    NoticeEvent.STUCK: NoticeEvent.RECOVERED,
    NoticeEvent.BROKEN: NoticeEvent.RECOVERED,
    NoticeEvent.BREAKER_OPENED: NoticeEvent.BREAKER_CLOSED,
    NoticeEvent.KEY_REFUSED: NoticeEvent.KEY_ACCEPTED,
    NoticeEvent.RETRIES_FORBIDDEN: NoticeEvent.RETRIES_ALLOWED,
    NoticeEvent.API_DOWN: NoticeEvent.API_UP,
    NoticeEvent.LEDGER_LOST: NoticeEvent.LEDGER_BACK,
}
for _event, _end in _ENDED_BY.items():
    _event.ended_by = _end
_ENDS = frozenset(_ENDED_BY.values())

BY_DEFAULT = tuple(event for event in NoticeEvent if event is not NoticeEvent.RETRIED)
"""All events except `retried`, which needs no operator."""


@dataclass(frozen=True, slots=True)
class Try:
    """One retry as a message shows it: when it was sent, what the API answered, how it ended."""

    at: datetime
    outcome: Outcome
    reason: str | None = None
    resolution: Resolution | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """What a receiver is notified of, with everything that a message says about it. It is written
    into the ledger when the event happens, and may be sent much later.

    `since` is when the failure began. `next_at` is when the watchdog acts next, if it will. `actor`
    says who ended the failure, and by which action, if the audit log says so. `error_line` is
    there only for receivers that asked for it. `detail` is one more sentence about the event.
    """

    event: NoticeEvent
    at: datetime
    observe: bool = False
    detail: str | None = None
    model_id: str | None = None
    name: str | None = None
    team: str | None = None
    status: str | None = None
    deployment_id: str | None = None
    since: datetime | None = None
    cause: Cause | None = None
    reason: DecisionReason | None = None
    tries: tuple[Try, ...] = ()
    max_attempts: int | None = None
    next_at: datetime | None = None
    actor: str | None = None
    error_line: str | None = None

    @property
    def subject(self) -> str:
        """What the notice is about; the same for an event and for the event that ends it."""
        return self.model_id or self.event.scope
