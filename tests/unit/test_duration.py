from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.text.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("0s", timedelta()),
        ("250ms", timedelta(milliseconds=250)),
        ("30s", timedelta(seconds=30)),
        ("5m", timedelta(minutes=5)),
        ("24h", timedelta(hours=24)),
        ("90d", timedelta(days=90)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("90m", timedelta(minutes=90)),
        ("1d2h3m4s5ms", timedelta(days=1, hours=2, minutes=3, seconds=4, milliseconds=5)),
    ],
)
def test_reads_what_people_write(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text",
    [
        "", "30", "s", "-30s", "+30s", "1.5h", "30 s", " 30s", "30s\n", "30S", "30m1h", "1h1h",
        "5w", "PT30S", "\u0663s",
    ],
)  # fmt: skip
def test_refuses_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not a duration: write it like 30s, 5m, .* 500ms$"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["1000000000d", "9" * 39 + "d"])
def test_refuses_what_no_timedelta_holds(text: str) -> None:
    with pytest.raises(ValueError, match=r"^too long a duration$"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(), "0s"),
        (timedelta(seconds=90), "1m30s"),
        (timedelta(minutes=60), "1h"),
        (timedelta(hours=24), "1d"),
        (timedelta(milliseconds=1500), "1s500ms"),
    ],
)
def test_writes_the_largest_units_first(duration: timedelta, text: str) -> None:
    assert format_duration(duration) == text


def test_writes_no_negative_duration() -> None:
    with pytest.raises(ValueError, match=r"^a duration is never negative$"):
        format_duration(timedelta(seconds=-1))


@given(st.integers(min_value=0, max_value=10**15))
def test_reads_what_it_writes(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(duration)) == duration
