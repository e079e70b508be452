"""A list of models in which some entries cannot be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.domain.discovery import (
    DiscoveryRules,
    ListedModel,
    Listing,
    after_listing,
)

RULES = DiscoveryRules(include=("team-a/*",))


def listed(name: str, *, has_development: bool = True) -> ListedModel:
    return ListedModel(f"id-{name}", name, "team-a", has_development)


def whole(*names: str) -> Listing:
    return Listing(tuple(map(listed, names)))


def partial(*names: str, unreadable: int = 1) -> Listing:
    return Listing(tuple(map(listed, names)), unreadable)


def after(*listings: Listing) -> set[str]:
    known = after_listing({}, Listing(()), RULES)
    for listing in listings:
        known = after_listing(known, listing, RULES)
    return {model.name for model in known.values()}


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        (whole("a"), True),
        (partial("a"), False),
        (Listing(()), False),
        (Listing((), unreadable=3), False),
    ],
)
def test_a_listing_is_whole_when_it_has_models_and_all_can_be_read(
    listing: Listing, expected: bool
) -> None:
    assert listing.whole is expected


def test_a_model_whose_entry_cannot_be_read_stays() -> None:
    assert after(whole("a", "b"), *[partial("a")] * 5) == {"a", "b"}


def test_new_models_join_all_the_same() -> None:
    assert after(whole("a"), partial("b")) == {"a", "b"}


def test_a_model_leaves_when_two_whole_listings_lack_it_whatever_came_between() -> None:
    assert after(whole("a", "b"), whole("a"), partial("a"), Listing(())) == {"a", "b"}
    assert after(whole("a", "b"), whole("a"), partial("a"), whole("a")) == {"a"}


def test_one_that_an_incomplete_listing_has_is_back() -> None:
    assert after(whole("a", "b"), whole("a"), partial("b"), whole("a")) == {"a", "b"}


def test_an_incomplete_listing_removes_no_model_for_another_name_or_an_empty_slot() -> None:
    other = Listing((ListedModel("id-a", "a", "team-b", True),), unreadable=1)
    empty = Listing((listed("a", has_development=False),), unreadable=1)
    assert after(whole("a"), other, other) == {"a"}
    assert after(whole("a"), empty, empty, empty) == {"a"}


names = st.sets(st.sampled_from("abcd")).map(sorted)
listings = st.lists(
    st.builds(lambda has, lost: partial(*has, unreadable=lost), names, st.integers(0, 1))
)


@given(listings)
def test_a_known_model_was_in_one_of_the_last_two_whole_listings_or_came_since(
    made: list[Listing],
) -> None:
    found = after(*made)
    places = [number for number, listing in enumerate(made) if listing.whole][-2:]
    since = made[places[0] :] if len(places) == 2 else made
    assert found == {model.name for listing in since for model in listing.models}
