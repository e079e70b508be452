"""How commands print a table, and name who signed a reservation."""

import io
from collections.abc import Sequence
from contextlib import redirect_stdout

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.cli.layout import Column, shorten_end, shorten_middle
from watchdog.cli.output import print_table
from watchdog.text.phrases import signature

_COLUMNS = (Column("model", 1), Column("name", 0, shorten_middle), Column("why", 0, shorten_end))
_CELLS = st.one_of(
    st.text(max_size=30),
    st.text("a \u65e5\u0301\U0001f600\u200d\ufe0f", max_size=12),
    st.sampled_from(["healthy", "[bold]x[/]", ":smile:", "x " * 60, " \t ", ""]),
)


@given(st.lists(st.tuples(_CELLS, _CELLS, _CELLS), min_size=1, max_size=4))
def test_a_pipe_gets_the_table_that_rich_would_draw(rows: Sequence[tuple[str, ...]]) -> None:
    assert _printed(rows) == _printed(rows, TTY_COMPATIBLE="0")


def _printed(rows: Sequence[tuple[str, ...]], **env: str) -> str:
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as printed:
        for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
            patch.delenv(name, raising=False)
        for name, value in env.items():
            patch.setenv(name, value)
        print_table(_COLUMNS, rows, empty="")
    return printed.getvalue()


@pytest.mark.parametrize(
    ("owner", "shown"),
    [
        ("daemon:pod-1:5f3a2c99", "pod-1/5f3a2c"),
        ("command:desk:5f3a2c99", "command@desk/5f3a2c"),
        ("daemon:fe80::1:5f3a2c99", "fe80::1/5f3a2c"),
        ("daemon:5f3a2c99", "5f3a2c"),
        ("strange", "strange@"),
    ],
)
def test_an_owner_in_short(owner: str, shown: str) -> None:
    assert signature(owner) == shown
