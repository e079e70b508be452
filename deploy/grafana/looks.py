"""How states and reasons look: a number for timelines, words for people, a colour."""

from collections.abc import Iterable
from typing import NamedTuple

from grafana_foundation_sdk.models.dashboard import ValueMap, ValueMapping, ValueMappingResult

from watchdog.domain.causes import Cause
from watchdog.domain.records import DecisionReason, TargetState

GREEN, BLUE, LIGHT_BLUE, YELLOW, ORANGE, RED, PURPLE, GREY = (
    "green",
    "blue",
    "light-blue",
    "yellow",
    "orange",
    "red",
    "purple",
    "#808080",
)


class Look(NamedTuple):
    """Red needs a person now; orange holds everything back; purple is a person's doing."""

    text: str
    color: str


STATES = {
    TargetState.HEALTHY: Look("healthy", GREEN),
    TargetState.IN_PROGRESS: Look("in progress", LIGHT_BLUE),
    TargetState.WAITING: Look("failing, waits", YELLOW),
    TargetState.RECOVERING: Look("recovering", BLUE),
    TargetState.EXHAUSTED: Look("EXHAUSTED", RED),
    TargetState.STUCK: Look("STUCK", ORANGE),
    TargetState.PAUSED: Look("paused", PURPLE),
    TargetState.IGNORED: Look("opted out", GREY),
    TargetState.NOT_RETRYABLE: Look("not retryable", GREY),
    TargetState.BROKEN: Look("BROKEN", RED),
    TargetState.MISSING: Look("MISSING", RED),
    TargetState.UNKNOWN: Look("not seen yet", GREY),
}

_COLORS = {
    DecisionReason.FIRST_DELAY: YELLOW,
    DecisionReason.BACKOFF: YELLOW,
    DecisionReason.WINDOW_SPENT: RED,
    DecisionReason.FLEET_MINUTE_SPENT: YELLOW,
    DecisionReason.FLEET_IN_FLIGHT: YELLOW,
    DecisionReason.FLEET_WINDOW_SPENT: RED,
    DecisionReason.BREAKER_OPEN: ORANGE,
    DecisionReason.PAUSED: PURPLE,
    DecisionReason.OUTSIDE_ALLOWED_TIMES: PURPLE,
    DecisionReason.API_HELD: ORANGE,
    DecisionReason.AUTH_FAILED: RED,
    DecisionReason.LOOK_AGAIN_FAILED: ORANGE,
    DecisionReason.LEDGER_UNAVAILABLE: RED,
    DecisionReason.CAUSE_PERMANENT: RED,
    DecisionReason.EPISODE_SPENT: RED,
    DecisionReason.REFUSED_TWICE: RED,
    DecisionReason.FORBIDDEN: RED,
    DecisionReason.STUCK: ORANGE,
    DecisionReason.OPTED_OUT: GREY,
    DecisionReason.STANDING_FAILURE: GREY,
    DecisionReason.MISSING: GREY,
}
"""Of the reasons that a failing model may have; the others are about models that do not fail, or
that are being retried."""

REASONS = {reason: Look(reason.brief, color) for reason, color in _COLORS.items()}

OUTCOMES = {
    "accepted": GREEN,
    "refused": RED,
    "throttled": ORANGE,
    "failed": ORANGE,
    "unknown": PURPLE,
    "abandoned": GREY,
    "dry_run": LIGHT_BLUE,
}

CAUSES = {
    Cause.DEPENDENCY: RED,
    Cause.USER_CODE: "dark-red",
    Cause.CONFIGURATION: "light-red",
    Cause.MEMORY: PURPLE,
    Cause.CAPACITY: YELLOW,
    Cause.NETWORK: BLUE,
    Cause.PLATFORM: ORANGE,
    Cause.TIMEOUT: LIGHT_BLUE,
    Cause.UNKNOWN: GREY,
}
"""Shades of red are the causes that only a person can remove."""


def mapping(looks: Iterable[tuple[str, Look]]) -> list[ValueMapping]:
    """What to show instead of these values."""
    results = {
        value: ValueMappingResult(text=look.text, color=look.color, index=index)
        for index, (value, look) in enumerate(looks)
    }
    return [ValueMap(options=results)]


def numbered(looks: Iterable[Look]) -> list[ValueMapping]:
    """As `mapping`, for the numbers that `queries.numbers` gives."""
    return mapping((str(number), look) for number, look in enumerate(looks, start=1))
