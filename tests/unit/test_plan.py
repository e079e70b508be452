"""When a target whose last look wrote nothing is checked next."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from watchdog.domain.plan import Claim, claim, share, spread
from watchdog.domain.records import Target

NOW = datetime(2026, 2, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)

intervals = st.timedeltas(SECOND, timedelta(days=1))


@given(st.text(min_size=1), intervals)
def test_the_next_check_is_an_interval_later_give_or_take_5_percent(
    model_id: str, interval: timedelta
) -> None:
    target = Target(model_id)
    made = claim(target, NOW, NOW, interval)
    assert abs(made.next_at - NOW - interval) <= interval * 0.05 + timedelta(microseconds=1)
    assert made == claim(target, NOW, NOW, interval)


@given(intervals)
def test_the_checks_of_many_targets_spread_over_the_whole_span(span: timedelta) -> None:
    shares = [share(f"m{number}", span) for number in range(1000)]
    in_tenths = [
        sum(span * tenth / 10 <= each < span * (tenth + 1) / 10 for each in shares)
        for tenth in range(10)
    ]
    assert sum(in_tenths) == len(shares)
    assert all(60 <= each <= 140 for each in in_tenths)


def test_a_target_has_the_same_position_in_every_span() -> None:
    for span in (timedelta(minutes=1), timedelta(hours=10)):
        assert abs(share("m1", span) - span * spread("m1")) <= timedelta(microseconds=1)


def test_a_claim_is_of_the_check_that_the_ledger_plans() -> None:
    planned = NOW - 5 * SECOND
    made = claim(Target("m1", next_check_at=planned, version=3), NOW, NOW, SECOND)
    assert (made.version, made.planned) == (3, planned)


def test_a_claim_of_a_target_without_a_plan_is_of_the_moment_that_it_is_due() -> None:
    assert claim(Target("m1"), NOW, NOW + SECOND, SECOND).planned == NOW


def test_a_claim_counts_until_the_target_is_saved_or_planned_anew() -> None:
    made = Claim(version=3, planned=NOW, next_at=NOW + SECOND)
    assert made.counts_for(3, NOW)
    assert not made.counts_for(4, NOW)
    assert not made.counts_for(3, NOW + SECOND)
