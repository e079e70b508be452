"""How tables fit a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from watchdog.cli.layout import GAP, Column, Shorten, fit, shorten_end, shorten_middle

NAME = "llama-3.1-70b-instruct-production-eu-west"
COLUMNS = (
    Column("id", 2),
    Column("name", 0, shorten_middle),
    Column("state"),
    Column("since", 1),
    Column("why", 0, shorten_end),
)
ROW = ("q81xw5rl", NAME, "exhausted", "3h12m ago", "refused_twice: the archive has expired")


def shown(width: int) -> list[str]:
    return [COLUMNS[at].heading for at, _ in fit(COLUMNS, [ROW], width)]


def test_less_important_columns_go_first() -> None:
    assert shown(120) == ["id", "name", "state", "since", "why"]
    assert shown(70) == ["name", "state", "since", "why"]
    assert shown(60) == ["name", "state", "why"]
    assert shown(10) == ["name", "state", "why"]


def test_names_of_one_family_stay_apart_where_there_is_room_for_it() -> None:
    columns = (Column("name", 0, shorten_middle, 12), Column("what"), Column("detail", 1))
    names = [f"llama-3-{number}-instruct-a-very-long-name-quantised" for number in range(100, 110)]
    rows = [(name, "failing: BUILD_FAILED", "cause: unknown") for name in names]

    def cells(width: int) -> list[str]:
        wide = dict(fit(columns, rows, width))[0]
        return [shorten_middle(name, wide, "…") for name in names]

    assert len(set(cells(50))) == len(names)
    assert len(set(cells(30))) == 1  # There is no room for it beside what must stay.


def test_where_there_is_room_nothing_is_shortened() -> None:
    assert fit(COLUMNS, [ROW], 1000) == [(at, len(cell)) for at, cell in enumerate(ROW)]


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "M", "Z"]), max_size=60)


@given(st.lists(st.tuples(*[TEXTS] * len(COLUMNS)), max_size=4), st.integers(80, 200))
def test_what_is_shown_fits_and_what_cannot_be_shortened_is_whole(
    rows: list[tuple[str, ...]], width: int
) -> None:
    rows = [(i[:8], name, state[:13], since[:10], why) for i, name, state, since, why in rows]
    fitted = fit(COLUMNS, rows, width)
    assert sum(wide for _, wide in fitted) + GAP * (len(fitted) - 1) <= width
    for at, wide in fitted:
        if COLUMNS[at].shorten is None:
            assert all(cell_len(row[at]) <= wide for row in rows)


@pytest.mark.parametrize("shorten", [shorten_middle, shorten_end])
@given(text=TEXTS, width=st.integers(0, 70))
def test_a_shortened_text_fits(shorten: Shorten, text: str, width: int) -> None:
    assert cell_len(shorten(text, width, "…")) <= width


@pytest.mark.parametrize(
    ("short", "whole"),
    [
        (shorten_middle(NAME, 20, "…"), "llama-3.1-…n-eu-west"),
        (shorten_middle("日本語のモデル名前", 9, "…"), "日本…名前"),
        (shorten_middle("short", 5, "…"), "short"),
        (shorten_middle(NAME, 9, "~"), "llam~west"),
        (shorten_end("the archive has expired", 20, "…"), "the archive has…"),
        (shorten_end("the archive has expired", 16, "…"), "the archive has…"),
        (shorten_end("archive-that-has-no-space", 10, "…"), "archive-t…"),
        (shorten_end("whole", 9, "…"), "whole"),
    ],
)
def test_a_name_loses_its_middle_and_a_sentence_its_last_words(short: str, whole: str) -> None:
    assert short == whole
