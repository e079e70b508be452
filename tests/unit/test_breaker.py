"""The breaker's rules, one row each."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.records import FLEET, NOW, POLICY, ago, an_attempt, failing, healthy
from watchdog.domain.breaker import (
    BreakerRules,
    Canary,
    CanaryResult,
    Opening,
    condition_until,
    counts_from,
    due_at,
    followed_until,
    lapsed,
    needed_since,
    next_canary,
    result_of,
    what_it_says,
)
from watchdog.domain.policy import decide
from watchdog.domain.records import (
    Attempt,
    Decision,
    DecisionKind,
    DecisionReason,
    Health,
    OpenBreaker,
    Outcome,
    Resolution,
    Target,
)

WINDOW, COOLDOWN = timedelta(minutes=10), timedelta(minutes=7)
RULES = BreakerRules(min_failures=3, ratio=0.3, max_failures=5, window=WINDOW, cooldown=COOLDOWN)
OPENING = Opening("o1", opened_at=ago(minutes=5), failures=3, not_failing=1, condition_until=NOW)
NAMED = Canary("c1", "o1", "m1", named_at=ago(minutes=4))
SENT = replace(NAMED, attempt_id="a1")


def shown_by(canary: Canary, target: Target | None, attempt: Attempt | None) -> CanaryResult | None:
    return result_of(
        canary,
        target,
        attempt,
        stuck_after=timedelta(minutes=60),
        unsent_after=timedelta(minutes=10),
        settle=timedelta(minutes=5),
        now=NOW,
    )


def minutes_ago(*minutes: float) -> list[datetime]:
    return [ago(minutes=each) for each in minutes]


@pytest.mark.parametrize(
    ("began", "not_failing", "until"),
    [
        pytest.param([], 0, None, id="nothing-fails"),
        pytest.param(minutes_ago(1, 2), 0, None, id="too-few-even-if-all-fail"),
        pytest.param(minutes_ago(1, 2, 3), 0, 7, id="all-fail"),
        pytest.param(minutes_ago(1, 2, 3), 6, 7, id="just-above-the-ratio"),
        pytest.param(minutes_ago(1, 2, 3), 7, None, id="just-at-the-ratio"),
        pytest.param(minutes_ago(1, 2, 3, 4), 9, 6, id="one-more-failure-one-more-share"),
        pytest.param(minutes_ago(1, 2, 3, 4), 10_000, None, id="below-max"),
        pytest.param(minutes_ago(1, 2, 3, 4, 5), 10_000, 5, id="max-whatever-the-ratio"),
        pytest.param(minutes_ago(9.99, 9, 2), 0, 0.01, id="just-within-the-window"),
        pytest.param(minutes_ago(10, 9, 2), 0, None, id="just-out-of-the-window"),
        pytest.param(minutes_ago(4, 1, 9, 2, 3), 0, 7, id="it-holds-while-the-third-newest-counts"),
        pytest.param(minutes_ago(-60, -1, 0), 0, 10, id="the-future-counts-as-now"),
    ],
)
def test_when_it_opens_and_until_when_that_holds(
    began: list[datetime], not_failing: int, until: float | None
) -> None:
    expected = None if until is None else NOW + timedelta(minutes=until)
    assert condition_until(began, not_failing, RULES, NOW) == expected


@given(
    st.lists(st.integers(0, 1200), max_size=8),
    st.integers(0, 20),
    st.integers(1, 1200),
)
def test_what_it_says_of_later_is_what_it_says_later(
    seconds_ago: list[int], not_failing: int, later: int
) -> None:
    began = [ago(seconds=each) for each in seconds_ago]
    until = condition_until(began, not_failing, RULES, NOW)
    then = NOW + timedelta(seconds=later)
    still = condition_until(began, not_failing, RULES, then)
    assert still == (until if until is not None and then < until else None)


@pytest.mark.parametrize(
    ("last", "due"),
    [
        pytest.param(None, NOW + COOLDOWN, id="a-cooldown-after-it-last-held"),
        pytest.param(NAMED, None, id="one-is-named"),
        pytest.param(SENT, None, id="one-is-sent"),
        pytest.param(
            replace(SENT, ended_at=NOW + timedelta(minutes=3), result=CanaryResult.FAILED),
            NOW + timedelta(minutes=3) + COOLDOWN,
            id="a-cooldown-after-one-failed",
        ),
        pytest.param(
            replace(SENT, ended_at=ago(minutes=3), result=CanaryResult.FAILED),
            NOW + COOLDOWN,
            id="it-held-longer-than-the-canary",
        ),
        pytest.param(
            replace(NAMED, ended_at=NOW + timedelta(minutes=3), result=CanaryResult.UNSENT),
            NOW + COOLDOWN,
            id="one-that-was-not-sent-showed-nothing",
        ),
    ],
)
def test_when_the_next_canary_may_go(last: Canary | None, due: datetime | None) -> None:
    assert due_at(OPENING, last, RULES) == due


FAILED = replace(SENT, ended_at=NOW + timedelta(minutes=3), result=CanaryResult.FAILED)


@pytest.mark.parametrize(
    ("last", "says"),
    [
        pytest.param(None, OpenBreaker(NOW + COOLDOWN), id="before-the-first-canary"),
        pytest.param(NAMED, OpenBreaker(None, "m1"), id="the-named-one-may-be-retried"),
        pytest.param(SENT, OpenBreaker(None), id="no-other-while-its-retry-is-under-way"),
        pytest.param(
            FAILED, OpenBreaker(NOW + timedelta(minutes=3) + COOLDOWN), id="after-one-failed"
        ),
        pytest.param(
            replace(NAMED, ended_at=NOW, result=CanaryResult.UNSENT),
            OpenBreaker(NOW + COOLDOWN),
            id="one-that-was-not-sent-in-time-may-not-be-retried-any-more",
        ),
    ],
)
def test_an_open_breaker_says_which_target_may_be_retried_and_when_the_next_is_named(
    last: Canary | None, says: OpenBreaker
) -> None:
    assert what_it_says(OPENING, last, RULES) == says


@pytest.mark.parametrize(
    ("recorded", "holds", "until"),
    [
        pytest.param(4, None, 0, id="recoveries-end-it-now"),
        pytest.param(-4, None, -4, id="what-ended-earlier-stays-so"),
        pytest.param(4, 9, 9, id="new-failures-prolong-it"),
        pytest.param(9, 4, 4, id="fewer-failures-shorten-it"),
        pytest.param(-4, 4, 4, id="it-is-true-again"),
    ],
)
def test_until_when_the_condition_of_an_opening_is_true_is_what_is_seen_now(
    recorded: int, holds: int | None, until: int
) -> None:
    opening = replace(OPENING, condition_until=ago(minutes=-recorded))
    seen = None if holds is None else ago(minutes=-holds)
    assert followed_until(opening, seen, NOW) == ago(minutes=-until)


@pytest.mark.parametrize(
    ("named", "first"),
    [
        pytest.param({}, "a", id="none-was-a-canary-so-the-first-by-id"),
        pytest.param({"a": ago(hours=1), "c": ago(hours=2)}, "b", id="one-that-was-never-named"),
        pytest.param(
            {"a": ago(hours=1), "b": ago(hours=3), "c": ago(hours=2)}, "b", id="the-longest-ago"
        ),
        pytest.param(
            {"a": ago(hours=2), "b": ago(hours=1), "c": ago(hours=2)}, "a", id="of-two-by-id"
        ),
    ],
)
def test_the_next_canary_is_the_target_that_was_canary_least_recently(
    named: dict[str, datetime], first: str
) -> None:
    assert next_canary(iter(("c", "b", "a")), named) == first


@pytest.mark.parametrize(
    ("canary", "target", "attempt", "result"),
    [
        pytest.param(NAMED, failing(), None, None, id="named-and-failing-on"),
        pytest.param(NAMED, None, None, None, id="named-and-unknown"),
        pytest.param(NAMED, healthy(), None, CanaryResult.PASSED, id="healthy-by-itself"),
        pytest.param(
            NAMED,
            healthy(observed_at=NAMED.named_at),
            None,
            CanaryResult.PASSED,
            id="healthy-when-it-was-named",
        ),
        pytest.param(
            NAMED, healthy(observed_at=ago(hours=1)), None, None, id="healthy-before-it-was-named"
        ),
        pytest.param(
            replace(NAMED, named_at=ago(minutes=10)),
            failing(),
            None,
            CanaryResult.UNSENT,
            id="never-sent",
        ),
        pytest.param(
            replace(NAMED, named_at=ago(minutes=-10)),
            failing(),
            None,
            CanaryResult.UNSENT,
            id="named-before-the-clock-was-set-back",
        ),
        pytest.param(SENT, failing(), an_attempt(), None, id="under-way"),
        pytest.param(SENT, failing(), an_attempt(Outcome.UNKNOWN), None, id="being-looked-for"),
        pytest.param(
            SENT,
            healthy(),
            an_attempt(resolution=Resolution.RECOVERED, resolved_at=NOW),
            CanaryResult.PASSED,
            id="recovered",
        ),
        *(
            pytest.param(
                SENT,
                failing(),
                an_attempt(resolution=resolution, resolved_at=NOW),
                CanaryResult.FAILED,
                id=str(resolution),
            )
            for resolution in Resolution
            if resolution is not Resolution.RECOVERED
        ),
        pytest.param(
            SENT,
            failing(),
            an_attempt(reserved_at=ago(minutes=60)),
            CanaryResult.FAILED,
            id="nobody-saw-its-end-within-stuck-after",
        ),
        pytest.param(SENT, failing(), None, CanaryResult.FAILED, id="its-attempt-was-deleted"),
    ],
)
def test_what_a_canary_shows(
    canary: Canary, target: Target | None, attempt: Attempt | None, result: CanaryResult | None
) -> None:
    assert shown_by(canary, target, attempt) is result


LATER = NOW + timedelta(minutes=9)
READY = failing(health=Health.FAILING, failing_since=ago(hours=1))


@pytest.mark.parametrize(
    ("breaker", "decision"),
    [
        pytest.param(None, Decision(DecisionKind.RETRY), id="closed"),
        pytest.param(
            OpenBreaker(LATER),
            Decision(DecisionKind.WAIT, DecisionReason.BREAKER_OPEN),
            id="open",
        ),
        pytest.param(
            OpenBreaker(NOW),
            Decision(DecisionKind.WAIT, DecisionReason.BREAKER_OPEN),
            id="due-and-no-canary-named",
        ),
        pytest.param(
            OpenBreaker(None, canary="another"),
            Decision(DecisionKind.WAIT, DecisionReason.BREAKER_OPEN),
            id="another-is-the-canary",
        ),
        pytest.param(
            OpenBreaker(None, canary="m1"), Decision(DecisionKind.RETRY), id="it-is-the-canary"
        ),
    ],
)
def test_what_it_means_for_a_target(breaker: OpenBreaker | None, decision: Decision) -> None:
    assert decide(READY, [], replace(FLEET, breaker=breaker), POLICY, NOW) == decision


@pytest.mark.parametrize(
    ("last_closed", "since"),
    [
        pytest.param(None, NOW - WINDOW, id="it-never-closed"),
        pytest.param(ago(minutes=11), NOW - WINDOW, id="it-closed-before-the-window"),
        pytest.param(ago(minutes=3), ago(minutes=3), id="it-closed-within-the-window"),
        pytest.param(ago(minutes=-3), NOW, id="it-closed-ahead-of-a-clock-that-was-set-back"),
    ],
)
def test_which_failures_count(last_closed: datetime | None, since: datetime) -> None:
    assert counts_from(last_closed, RULES, NOW) == since


@pytest.mark.parametrize(
    ("opening", "since"),
    [
        pytest.param(None, ago(hours=24), id="closed"),
        pytest.param(replace(OPENING, opened_at=ago(hours=5)), ago(hours=29), id="open"),
        pytest.param(replace(OPENING, opened_at=ago(hours=-5)), ago(hours=24), id="from-ahead"),
    ],
)
def test_whom_a_judge_must_see(opening: Opening | None, since: datetime) -> None:
    assert needed_since(opening, NOW) == since


OLD = replace(OPENING, opened_at=ago(days=3))


@pytest.mark.parametrize(
    ("opening", "last", "over"),
    [
        pytest.param(replace(OLD, judged_at=ago(hours=24)), None, True, id="a-day-ago"),
        pytest.param(replace(OLD, judged_at=ago(hours=23.9)), None, False, id="less-than-that"),
        pytest.param(replace(OLD, judged_at=ago(hours=-1)), None, False, id="from-ahead"),
        pytest.param(OLD, None, True, id="never-since-it-opened"),
        pytest.param(OPENING, None, False, id="by-an-older-program-just-now"),
        pytest.param(
            OLD, replace(SENT, named_at=ago(hours=2)), False, id="an-older-program-named-a-canary"
        ),
        pytest.param(
            replace(OLD, judged_at=ago(hours=30)),
            replace(SENT, named_at=ago(hours=26), ended_at=ago(hours=2)),
            False,
            id="an-older-program-saw-a-canary-end",
        ),
        pytest.param(
            replace(OLD, judged_at=ago(hours=30)),
            replace(SENT, named_at=ago(hours=26)),
            True,
            id="its-canary-was-forgotten-too",
        ),
        pytest.param(
            replace(OLD, judged_at=ago(hours=2)),
            replace(SENT, named_at=ago(hours=30), ended_at=ago(hours=26)),
            False,
            id="it-is-judged-long-after-its-last-canary",
        ),
    ],
)
def test_what_nobody_judges_for_a_day_lapses(
    opening: Opening, last: Canary | None, over: bool
) -> None:
    assert lapsed(opening, last, NOW) is over


@pytest.mark.parametrize(
    ("target", "result"),
    [
        pytest.param(
            healthy(status="SCALED_TO_ZERO", status_since=ago(minutes=4), observed_at=NOW),
            None,
            id="asleep-for-a-moment",
        ),
        pytest.param(
            healthy(status="SCALED_TO_ZERO", status_since=ago(minutes=5), observed_at=NOW),
            CanaryResult.PASSED,
            id="asleep-for-long",
        ),
        pytest.param(healthy(observed_at=NOW), CanaryResult.PASSED, id="it-serves"),
    ],
)
def test_a_canary_that_somebody_else_retried_passes_once_that_shows_something(
    target: Target, result: CanaryResult | None
) -> None:
    named = Canary("c1", "o1", "m1", ago(minutes=6))
    assert shown_by(named, target, None) is result
