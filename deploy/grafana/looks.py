"""How states and reasons look: a number for timelines, words for people, a colour."""

from collections.abc import Iterable
from typing import NamedTuple

from grafana_foundation_sdk.models.dashboard import ValueMap, ValueMapping, ValueMappingResult

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
    TargetState.MISSING: Look("missing", GREY),
    TargetState.UNKNOWN: Look("not seen yet", GREY),
}

REASONS = {
    DecisionReason.FIRST_DELAY: Look("first delay: a person may be fixing it", YELLOW),
    DecisionReason.BACKOFF: Look("backoff: too early after the last retry", YELLOW),
    DecisionReason.WINDOW_SPENT: Look("its retries of the day are spent", RED),
    DecisionReason.FLEET_MINUTE_SPENT: Look("the fleet's retries of the minute are spent", YELLOW),
    DecisionReason.FLEET_IN_FLIGHT: Look("too many retries of the fleet under way", YELLOW),
    DecisionReason.FLEET_WINDOW_SPENT: Look("the fleet's retries of the day are spent", RED),
    DecisionReason.BREAKER_OPEN: Look("breaker open: many fail at once", ORANGE),
    DecisionReason.PAUSED: Look("paused by a person", PURPLE),
    DecisionReason.OUTSIDE_ALLOWED_TIMES: Look("outside its allowed times", PURPLE),
    DecisionReason.API_HELD: Look("the API asked for quiet", ORANGE),
    DecisionReason.AUTH_FAILED: Look("the API refuses the key", RED),
    DecisionReason.LOOK_AGAIN_FAILED: Look("could not look again before retrying", ORANGE),
    DecisionReason.LEDGER_UNAVAILABLE: Look("the ledger is away", RED),
    DecisionReason.EPISODE_SPENT: Look("gave up: retries spent", RED),
    DecisionReason.REFUSED_TWICE: Look("gave up: refused twice", RED),
    DecisionReason.FORBIDDEN: Look("the key may not retry", RED),
    DecisionReason.STUCK: Look("stuck: nothing came of a retry", ORANGE),
    DecisionReason.OPTED_OUT: Look("opted out by its label", GREY),
    DecisionReason.STANDING_FAILURE: Look("it failed before anyone watched", GREY),
    DecisionReason.MISSING: Look("missing", GREY),
}
"""Those of a failing model; the others are about models that do not fail, or are being retried."""

OUTCOMES = {
    "accepted": GREEN,
    "refused": RED,
    "throttled": ORANGE,
    "failed": ORANGE,
    "unknown": PURPLE,
    "abandoned": GREY,
    "dry_run": LIGHT_BLUE,
}


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
