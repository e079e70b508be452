"""Which listed models are watched, and when they join and leave."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.domain.discovery import (
    Discovered,
    DiscoveryRules,
    ListedModel,
    Listing,
    after_listing,
    still_wanted,
)

RULES = DiscoveryRules(include=("team-a/*", "llama-*"), exclude=("*-scratch", "team-c/*"))


def listed(name: str, team: str = "team-a", *, has_development: bool = True) -> ListedModel:
    return ListedModel(f"id-{team}-{name}", name, team, has_development)


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        pytest.param(listed("whisper"), True, id="by-team"),
        pytest.param(listed("whisper", "team-b"), False, id="of-another-team"),
        pytest.param(listed("llama-8b", "team-b"), True, id="by-name-in-any-team"),
        pytest.param(listed("llama-scratch"), False, id="excluded-by-name"),
        pytest.param(listed("llama-8b", "team-c"), False, id="excluded-by-team"),
        pytest.param(listed("Llama-8b", "team-b"), False, id="case-counts"),
        pytest.param(listed("x", "team-ab"), False, id="a-pattern-is-the-whole-of-it"),
        pytest.param(
            ListedModel("llama-id", "x", "team-b", True), False, id="not-by-part-of-an-id"
        ),
    ],
)
def test_a_pattern_with_a_slash_is_of_team_and_name(model: ListedModel, wanted: bool) -> None:
    assert RULES.wants(model) is wanted


@pytest.mark.parametrize(
    ("include", "exclude", "none"),
    [
        (["*"], ["*"], True),
        (["*", "llama-*"], ["x", "*"], True),
        (["team-a/*", "abc123"], ["*/*"], True),
        (["team-a/*", "llama-*"], ["team-*/*", "ll*"], True),
        (["abc123"], ["abc123"], True),
        (["abc123"], ["abc*"], False),
        (["team-a/*"], ["team-a*"], False),
        (["*"], ["llama-*"], False),
        (["llama-*", "whisper-*"], ["llama-*"], False),
        (["[ab]*"], ["*b]*"], False),
        (["*"], [], False),
    ],
)
def test_patterns_that_exclude_all_that_others_include_are_known(
    include: list[str], exclude: list[str], none: bool
) -> None:
    assert DiscoveryRules(tuple(include), tuple(exclude)).want_none is none


def whole(*models: ListedModel) -> Listing:
    return Listing(models)


def names(known: Mapping[str, Discovered]) -> set[str]:
    return {model.name for model in known.values()}


def test_a_new_model_joins_at_once_and_a_vanished_one_leaves_after_two_rounds() -> None:
    known = after_listing({}, whole(listed("a"), listed("b"), listed("x", "team-b")), RULES)
    assert names(known) == {"a", "b"}
    known = after_listing(known, whole(listed("a"), listed("c")), RULES)
    assert names(known) == {"a", "b", "c"}
    known = after_listing(known, whole(listed("a"), listed("c")), RULES)
    assert names(known) == {"a", "c"}


def test_one_that_is_back_in_time_never_left() -> None:
    known = after_listing({}, whole(listed("a"), listed("b")), RULES)
    for listing in ([listed("a")], [listed("a"), listed("b")], [listed("a")]):
        known = after_listing(known, whole(*listing), RULES)
        assert names(known) == {"a", "b"}


def test_an_empty_listing_means_nothing() -> None:
    known = after_listing({}, whole(listed("a")), RULES)
    for _ in range(5):
        known = after_listing(known, whole(), RULES)
    assert names(known) == {"a"}


def test_without_a_development_slot_there_is_nothing_to_watch() -> None:
    known = after_listing({}, whole(listed("a"), listed("b", has_development=False)), RULES)
    assert names(known) == {"a"}
    gone = whole(listed("a", has_development=False), listed("b"))
    known = after_listing(known, gone, RULES)
    assert names(known) == {"a", "b"}
    assert names(after_listing(known, gone, RULES)) == {"b"}


def test_one_that_the_patterns_no_longer_want_leaves_at_once() -> None:
    known = after_listing({}, whole(listed("a"), listed("b")), RULES)
    other = DiscoveryRules(include=("b",))
    assert names(after_listing(known, whole(listed("a"), listed("b")), other)) == {"b"}


def test_between_two_listings_the_rules_hold_for_what_is_known() -> None:
    known = after_listing({}, whole(listed("a"), listed("b"), listed("llama-8b", "team-b")), RULES)
    other = DiscoveryRules(include=("team-a/*",), exclude=("b",))
    assert names(still_wanted(known, other)) == {"a"}


def test_two_models_of_one_name_are_two() -> None:
    twins = whole(ListedModel("one", "a", "team-a", True), ListedModel("two", "a", "team-a", True))
    assert after_listing({}, twins, RULES).keys() == {"one", "two"}


models = st.builds(
    listed,
    st.sampled_from("abcd"),
    st.sampled_from(["team-a", "team-b"]),
    has_development=st.booleans(),
)


@given(st.lists(st.lists(models, unique_by=lambda model: model.id)))
def test_only_what_was_wanted_within_two_listings_is_known(
    listings: list[list[ListedModel]],
) -> None:
    known: Mapping[str, Discovered] = {}
    for listing in listings:
        known = after_listing(known, whole(*listing), RULES)
    recent = [listing for listing in listings if listing][-2:]
    for model_id in known:
        assert any(
            model.id == model_id and RULES.wants(model) and model.has_development
            for listing in recent
            for model in listing
        )
    for model in recent[-1] if recent else []:
        if RULES.wants(model) and model.has_development:
            assert model.id in known
