"""What the defaults of `policy.causes` save, and that they delay nobody."""

import pytest

from tests.bench.causes import CAPACITY, EACH, NETWORK, PERMANENT, Outcome, measure

Measured = dict[str, dict[str, Outcome]]


@pytest.fixture(scope="module")
def measured() -> Measured:
    return measure()


def test_at_most_one_retry_is_spent_on_each_model_that_cannot_build(measured: Measured) -> None:
    ours, beside = (outcomes[PERMANENT] for outcomes in measured.values())
    assert ours.most_retries == 1
    assert len(ours.gave_up) == EACH
    assert ours.recovered == beside.recovered == {}
    assert beside.retries.total() > 3 * ours.retries.total()


@pytest.mark.parametrize("third", [NETWORK, CAPACITY])
def test_every_other_model_recovers_no_later(measured: Measured, third: str) -> None:
    ours, beside = (outcomes[third] for outcomes in measured.values())
    assert len(ours.recovered) == EACH
    assert [
        model_id for model_id, after in beside.recovered.items() if ours.recovered[model_id] > after
    ] == []
