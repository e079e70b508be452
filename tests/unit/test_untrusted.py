"""Text from outside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.text.untrusted import LONGEST, LONGEST_ID, clean, is_plain, is_visible


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        pytest.param("plain, with Ümläuts and 日本", "plain, with Ümläuts and 日本", id="plain"),
        pytest.param("two\nlines\r\n", r"two\nlines\r\n", id="line-breaks"),
        pytest.param("\x1b[31mred\x07", r"\x1b[31mred\x07", id="terminal-codes"),
        pytest.param("\x9b31m\x7f\x00", r"\x9b31m\x7f\x00", id="c1-del-nul"),
        pytest.param("a\u202eb\u2028c\u200bd", r"a\u202eb\u2028c\u200bd", id="hidden-or-reversed"),
        pytest.param("\U0001f468\u200d\U0001f4bb", "\U0001f468\u200d\U0001f4bb", id="emoji"),
        pytest.param(
            "\u2764\ufe0f\u200d\U0001f525", "\u2764\ufe0f\u200d\U0001f525", id="emoji-of-text"
        ),
        pytest.param("a\u200db\u200d", r"a\u200db\u200d", id="joiner-that-hides"),
        pytest.param("a\x85b\u2029c", r"a\x85b\u2029c", id="line-separators"),
        pytest.param("a\ud800b\udcff", r"a\ud800b\udcff", id="halves-of-characters"),
        pytest.param("key=s3cret!", "key=***!", id="the-secret"),
        pytest.param("s3cret s3cret", "*** ***", id="twice"),
        pytest.param("/srv/s3cret.db is s3cret.", "/srv/s3cret.db is ***.", id="in-a-path"),
        pytest.param("s3cret-dev my-s3cret s3crets", "s3cret-dev my-s3cret s3crets", id="in-names"),
        pytest.param("Api-Key:s3cret,'s3cret'", "Api-Key:***,'***'", id="between-signs"),
        pytest.param("x" * 500, "x" * 500, id="just-short-enough"),
        pytest.param("x" * 501, "x" * 497 + "...", id="too-long"),
    ],
)
def test_it_is_one_safe_line(text: str, cleaned: str) -> None:
    assert clean(text, "s3cret") == cleaned


anything = st.text(st.characters(exclude_categories=()), max_size=2000)


def test_a_long_secret_is_masked_wherever_it_is() -> None:
    long = "abcdefgh.12345678"
    assert clean(f"x{long}{long}/y", long) == "x******/y"


@given(anything, st.text("abc\n", min_size=10, max_size=20))
def test_whatever_comes_in(text: str, secret: str) -> None:
    cleaned = clean(text + secret + text, secret)
    assert is_visible(cleaned)
    assert len(cleaned) <= LONGEST
    assert secret not in cleaned or secret in "..."


@given(anything, st.integers(10, 600))
def test_what_comes_out_can_be_stored_anywhere_and_is_not_changed_again(
    text: str, most: int
) -> None:
    cleaned = clean(text, most=most)
    assert cleaned.encode().decode() == cleaned
    assert "\x00" not in cleaned
    assert len(cleaned) <= most
    assert clean(cleaned, most=most) == cleaned


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("BUILD_FAILED", True),
        ("with a space, and Ümläuts", True),
        ("x" * LONGEST_ID, True),
        ("x" * (LONGEST_ID + 1), False),
        ("", False),
        ("a\x00", False),
        ("a\ud800", False),
        ("a\n", False),
        ("a\u202e", False),
    ],
)
def test_what_identifies_something_is_taken_as_it_is_or_not_at_all(text: str, plain: bool) -> None:
    assert is_plain(text) is plain


def test_a_text_cut_within_an_emoji_is_not_changed_again() -> None:
    cleaned = clean("\U0001f468\u200d" * 8 + "\U0001f468", most=11)
    assert clean(cleaned, most=11) == cleaned


def test_without_a_secret_nothing_is_masked() -> None:
    assert clean("XXXX text") == "XXXX text"
