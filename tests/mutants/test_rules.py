"""Every rule is held by a test: with the rule broken, that test fails."""

from collections.abc import Iterator

import pytest

from tests.mutants.breaking import Breaker, a_breaker
from tests.mutants.rules import RULES, Rule


@pytest.fixture(scope="module")
def breaker() -> Iterator[Breaker]:
    with a_breaker() as made:
        yield made


@pytest.mark.parametrize("rule", [pytest.param(r, id=r.name.replace(" ", "-")) for r in RULES])
def test_a_broken_rule_is_caught(breaker: Breaker, rule: Rule) -> None:
    assert breaker.problem_with(rule) is None


def test_each_rule_has_a_name_of_its_own() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
