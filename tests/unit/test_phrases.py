"""How moments, durations and owners are written for people."""

import time
from collections.abc import Iterator
from datetime import timedelta, timezone

import pytest

from tests.fakes.records import NOW, ago
from watchdog.text import phrases


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0, "0s"),
        (45, "45s"),
        (252, "4m12s"),
        (300, "5m"),
        (11_100, "3h5m"),
        (11_107, "3h5m"),
        (187_200, "2d4h"),
        (172_801, "2d"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: int, text: str) -> None:
    assert phrases.age(timedelta(seconds=seconds)) == text


def test_a_moment_is_told_by_its_distance() -> None:
    assert phrases.ago(ago(minutes=3), NOW) == "3m ago"
    assert phrases.ago(None, NOW) == "-"
    assert phrases.ahead(NOW + timedelta(hours=2), NOW) == "in 2h"
    assert phrases.ahead(NOW, NOW) == "now"
    assert phrases.ahead(None, NOW) == "-"


@pytest.fixture
def _far_from_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "JST-9")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_far_from_greenwich")
def test_a_moment_is_written_in_utc() -> None:
    assert phrases.clock_time(NOW) == "2026-03-01T12:00:00Z"
    east = NOW.astimezone(timezone(timedelta(hours=2)))
    assert phrases.clock_time(east) == "2026-03-01T12:00:00Z"
    assert phrases.clock_time(None) == "-"


@pytest.mark.parametrize(
    ("owner", "text"),
    [
        ("daemon:host:5f3a2c1199", "host/5f3a2c"),
        ("command:host:5f3a2c1199", "command@host/5f3a2c"),
        ("daemon:1", "1"),
    ],
)
def test_an_owner_is_its_host_and_a_mark(owner: str, text: str) -> None:
    assert phrases.signature(owner) == text


def test_one_is_counted_as_one() -> None:
    assert phrases.counted(1, "retry", "retries") == "1 retry"
    assert phrases.counted(2, "retry", "retries") == "2 retries"
    assert (phrases.counted(0, "model"), phrases.counted(1, "model")) == ("0 models", "1 model")


@pytest.mark.parametrize(
    ("words", "said"),
    [([], ""), (["a"], "a"), (["a", "b"], "a, b"), (["a", "b", "c", "d"], "a, b and 2 more")],
)
def test_a_few_of_many_words_are_said_with_how_many_more_there_are(
    words: list[str], said: str
) -> None:
    assert phrases.few_of(words, 2) == said
