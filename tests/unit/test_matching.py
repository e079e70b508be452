"""Which models a pattern chooses, wherever one is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.domain.discovery import first_match, matches


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("llama-8b", True),
        ("llama-*", True),
        ("abc12345", True),
        ("*", True),
        ("team-a/*", True),
        ("team-a/llama-8b", True),
        ("*/llama-*", True),
        ("team-[ab]/llama-?b", True),
        ("abc*", False),
        ("Llama-8b", False),
        ("llama", False),
        ("team-a*", False),
        ("team-a/abc12345", False),
        ("team-b/*", False),
        ("team-a/", False),
    ],
)
def test_a_pattern_is_held_against_id_name_and_team(pattern: str, matched: bool) -> None:
    assert matches(pattern, "abc12345", "llama-8b", "team-a") is matched


@pytest.mark.parametrize(
    ("pattern", "name", "team", "matched"),
    [
        ("team-a/*", "llama", None, False),
        ("*/*", "llama", None, False),
        ("team-a/*", None, "team-a", True),
        ("team-a/abc*", None, "team-a", True),
        ("llama", None, "team-a", False),
        ("abc*", None, None, True),
    ],
)
def test_what_is_not_known_of_a_model_matches_nothing(
    pattern: str, name: str | None, team: str | None, matched: bool
) -> None:
    assert matches(pattern, "abc12345", name, team) is matched


words = st.text(st.characters(exclude_characters="/*?["), min_size=1, max_size=4)


@given(words, words, words)
def test_a_plain_text_matches_the_model_that_has_it(model_id: str, name: str, team: str) -> None:
    for pattern in (model_id, name, f"{team}/{name}", "*", f"{team}/*", f"*/{name}"):
        assert matches(pattern, model_id, name, team)


@given(st.lists(st.sampled_from(["*", "a*", "t/*", "b", "t/b"])))
def test_the_first_match_is_the_first_pattern_that_matches(patterns: list[str]) -> None:
    found = first_match(patterns, "id", "b", "t")
    assert found == next((each for each in patterns if matches(each, "id", "b", "t")), None)
