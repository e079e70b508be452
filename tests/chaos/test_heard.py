"""The rule about notifications can tell what arrived from what was lost."""

import pytest

from tests.chaos.heard import Heard, not_heard, twice
from tests.chaos.ledger import Outbox, Row
from tests.chaos.put_backs import PutBack

MODEL, SENT_AT = "never0", "2026-08-01T00:00:10Z"
RETRIED = Heard(12.0, MODEL, "retried", 11.0, retries=(SENT_AT,))
GAVE_UP = Heard(31.0, MODEL, "gave_up", 30.0, open=True)
RECOVERED = Heard(41.0, MODEL, "recovered", 40.0)
ANSWERED = {"a1": (MODEL, SENT_AT)}
GIVEN_UP, WELL = Outbox(gave_up=frozenset({MODEL})), Outbox(healthy=frozenset({MODEL}))


def broken(heard: list[Heard], outbox: Outbox, *put_backs: PutBack) -> list[str]:
    return [each.text for each in not_heard(heard, outbox, put_backs, 100.0)]


def went_back(at: float) -> PutBack:
    """To a ledger that knows other notifications of the model; it keeps the attempt."""
    row = Row("a1", MODEL, "daemon", "e1", "accepted", 9.0, 10.0)
    return PutBack.of(at, at, [row], [row], frozenset({MODEL}))


def test_what_arrived_breaks_no_rule() -> None:
    assert broken([RETRIED, GAVE_UP], Outbox(ANSWERED, gave_up=frozenset({MODEL}))) == []
    assert broken([GAVE_UP, RECOVERED], WELL) == []


def test_a_message_of_a_frozen_process_may_arrive_after_the_end_of_what_it_says() -> None:
    assert broken([RECOVERED, GAVE_UP], WELL) == []


@pytest.mark.parametrize(
    ("heard", "outbox", "text"),
    [
        ([], Outbox(ANSWERED), f"nobody heard of its retry of {SENT_AT}"),
        ([], GIVEN_UP, "nobody heard that it was given up"),
        ([GAVE_UP, RECOVERED], GIVEN_UP, "nobody heard that it was given up"),
        ([GAVE_UP], WELL, "nobody heard that it recovered"),
    ],
)
def test_what_was_lost_is_found(heard: list[Heard], outbox: Outbox, text: str) -> None:
    assert broken(heard, outbox) == [text]


def test_what_waits_is_not_lost() -> None:
    waiting = frozenset({MODEL})
    assert broken([], Outbox(ANSWERED, gave_up=waiting, waiting=waiting)) == []


def test_another_ledger_excuses_only_what_it_lost() -> None:
    assert broken([], Outbox(ANSWERED), went_back(20.0)) == []
    assert broken([GAVE_UP], WELL, went_back(35.0)) == []
    assert broken([GAVE_UP], WELL, went_back(25.0)) == ["nobody heard that it recovered"]


def test_what_arrived_twice_is_counted() -> None:
    assert twice([GAVE_UP, RECOVERED, GAVE_UP]) == 1
