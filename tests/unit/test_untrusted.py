"""Text from outside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.domain.untrusted import LONGEST, clean


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        pytest.param("plain, with Ümläuts and 日本", "plain, with Ümläuts and 日本", id="plain"),
        pytest.param("two\nlines\r\n", r"two\nlines\r\n", id="line-breaks"),
        pytest.param("\x1b[31mred\x07", r"\x1b[31mred\x07", id="terminal-codes"),
        pytest.param("\x9b31m\x7f\x00", r"\x9b31m\x7f\x00", id="c1-del-nul"),
        pytest.param("a\u202eb\u2028c\u200bd", r"a\u202eb\u2028c\u200bd", id="hidden-or-reversed"),
        pytest.param("key=s3cret!", "key=***!", id="the-secret"),
        pytest.param("s3crets3cret", "******", id="twice"),
        pytest.param("x" * 500, "x" * 500, id="just-short-enough"),
        pytest.param("x" * 501, "x" * 497 + "...", id="too-long"),
    ],
)
def test_it_is_one_safe_line(text: str, cleaned: str) -> None:
    assert clean(text, "s3cret") == cleaned


@given(st.text(max_size=2000), st.text("abc\n", min_size=4, max_size=8))
def test_whatever_comes_in(text: str, secret: str) -> None:
    cleaned = clean(text + secret + text, secret)
    assert cleaned.isprintable()
    assert len(cleaned) <= LONGEST
    assert secret not in cleaned or secret in "..."


def test_without_a_secret_nothing_is_masked() -> None:
    assert clean("XXXX text") == "XXXX text"
