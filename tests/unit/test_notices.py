"""Which notice is sent to whom, and when: docs/semantics.md, section 22."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fakes.records import NOW, ago
from watchdog.domain.notices import BY_DEFAULT, QUIET, Notice, NoticeEvent
from watchdog.domain.outbox import (
    FIRST_AGAIN,
    GATHER,
    LEASE,
    LONGEST_AGAIN,
    LONGEST_ASKED,
    LONGEST_GATHER,
    MANY,
    Plan,
    Receiver,
    Said,
    Waiting,
    after_sending,
    batch,
    begin_try,
    failed_try,
    is_old,
    plan,
)

OPS = Receiver("ops", frozenset(NoticeEvent))
SECOND = timedelta(seconds=1)


def a_notice(event: NoticeEvent = NoticeEvent.GAVE_UP, **values: object) -> Notice:
    notice = Notice(event, NOW, model_id="m1" if event.about_model else None)
    return replace(notice, **values)  # type: ignore[arg-type]


def waiting(event: NoticeEvent = NoticeEvent.GAVE_UP, **values: object) -> Waiting:
    known = Waiting("ops", a_notice(event, at=ago(minutes=9)), ago(minutes=9), id=1)
    return replace(known, **values)  # type: ignore[arg-type]


def said(*, open: bool = True, **ago_: float) -> Said:  # noqa: A002 - the name of the field
    return Said("ops", "m1", ago(**ago_), open=open)


def new(event: NoticeEvent, due_at: timedelta = timedelta(0)) -> Waiting:
    return Waiting("ops", a_notice(event), NOW + due_at)


def test_by_default_a_receiver_hears_all_but_retries() -> None:
    assert set(BY_DEFAULT) == set(NoticeEvent) - {NoticeEvent.RETRIED}


def test_what_needs_an_operator_has_an_end_about_the_same_subject() -> None:
    for event in NoticeEvent:
        if event.ended_by is not None:
            assert event.ended_by.scope == event.scope
            assert event.ended_by.is_end
            assert not event.ended_by.needs_operator


@pytest.mark.parametrize(
    ("patterns", "notice", "wanted"),
    [
        pytest.param((), a_notice(), True, id="no-pattern"),
        pytest.param(("m1",), a_notice(name="llama"), True, id="the-whole-id"),
        pytest.param(("llama-*",), a_notice(name="llama-dev"), True, id="the-name"),
        pytest.param(("llama-*",), a_notice(name="whisper"), False, id="another-name"),
        pytest.param(("a/*",), a_notice(name="llama", team="a"), True, id="the-team"),
        pytest.param(("a/*",), a_notice(name="llama", team="b"), False, id="another-team"),
        pytest.param(("a/*",), a_notice(name="llama"), False, id="no-team-is-known"),
        pytest.param(("x", "m1"), a_notice(), True, id="one-of-several"),
        pytest.param(("x",), a_notice(NoticeEvent.API_DOWN), True, id="about-all-models"),
        pytest.param((), a_notice(NoticeEvent.STUCK), False, id="an-event-that-it-does-not-want"),
    ],
)
def test_which_receiver_wants_which_notice(
    patterns: tuple[str, ...], notice: Notice, wanted: bool
) -> None:
    receiver = Receiver("ops", {NoticeEvent.GAVE_UP, NoticeEvent.API_DOWN}, patterns)
    assert receiver.wants(notice) is wanted


BEGUN = waiting(tries=2)
UNSENT = waiting()
END = waiting(NoticeEvent.RECOVERED, id=2)


@pytest.mark.parametrize(
    ("event", "waits", "heard", "planned"),
    [
        pytest.param(NoticeEvent.GAVE_UP, (), None, Plan(new(NoticeEvent.GAVE_UP)), id="the-first"),
        pytest.param(
            NoticeEvent.GAVE_UP,
            (),
            said(minutes=20),
            Plan(new(NoticeEvent.GAVE_UP, QUIET - timedelta(minutes=20))),
            id="less-than-an-hour-after-the-last",
        ),
        pytest.param(
            NoticeEvent.GAVE_UP,
            (),
            said(hours=1),
            Plan(new(NoticeEvent.GAVE_UP)),
            id="an-hour-after-the-last",
        ),
        pytest.param(
            NoticeEvent.STUCK,
            (UNSENT,),
            None,
            Plan(replace(UNSENT, notice=a_notice(NoticeEvent.STUCK))),
            id="in-place-of-one-that-nobody-got",
        ),
        pytest.param(
            NoticeEvent.GAVE_UP,
            (BEGUN,),
            None,
            Plan(new(NoticeEvent.GAVE_UP, QUIET - timedelta(minutes=9))),
            id="after-one-that-somebody-may-have-got",
        ),
        pytest.param(NoticeEvent.RECOVERED, (), None, Plan(), id="an-end-of-nothing"),
        pytest.param(
            NoticeEvent.RECOVERED, (), said(open=False, hours=9), Plan(), id="an-end-that-was-said"
        ),
        pytest.param(
            NoticeEvent.RECOVERED, (UNSENT,), None, Plan(drop=(UNSENT,)), id="both-are-left-out"
        ),
        pytest.param(
            NoticeEvent.RECOVERED,
            (),
            said(minutes=1),
            Plan(new(NoticeEvent.RECOVERED)),
            id="the-end-of-what-was-said",
        ),
        pytest.param(
            NoticeEvent.RECOVERED,
            (BEGUN,),
            None,
            Plan(new(NoticeEvent.RECOVERED)),
            id="the-end-of-what-may-have-been-said",
        ),
        pytest.param(
            NoticeEvent.RECOVERED,
            (BEGUN, END, replace(UNSENT, id=3)),
            None,
            Plan(replace(END, notice=a_notice(NoticeEvent.RECOVERED)), (replace(UNSENT, id=3),)),
            id="the-last-end-alone",
        ),
        pytest.param(
            NoticeEvent.RETRIED,
            (),
            said(minutes=1),
            Plan(new(NoticeEvent.RETRIED)),
            id="retries-are-not-bounded",
        ),
    ],
)
def test_what_one_more_notice_changes(
    event: NoticeEvent, waits: tuple[Waiting, ...], heard: Said | None, planned: Plan
) -> None:
    assert plan(OPS, a_notice(event), waits, heard, NOW) == planned


def test_a_clock_that_was_ahead_makes_no_notice_wait_longer_than_the_quiet_time() -> None:
    ahead = replace(said(), at=ago(days=-9))
    assert plan(OPS, a_notice(), (), ahead, NOW).put == new(NoticeEvent.GAVE_UP, QUIET)


def test_what_has_no_end_is_not_repeated_later() -> None:
    budget = a_notice(NoticeEvent.FLEET_BUDGET_SPENT)
    heard = Said("ops", budget.subject, ago(hours=23), open=False)
    assert plan(OPS, budget, (), heard, NOW) == Plan()
    assert plan(OPS, budget, (), replace(heard, at=ago(hours=24)), NOW).put is not None
    waits = waiting(NoticeEvent.FLEET_BUDGET_SPENT)
    assert plan(OPS, budget, (waits,), None, NOW) == Plan(replace(waits, notice=budget))


def test_an_end_takes_away_what_waits_also_where_it_is_not_wanted() -> None:
    deaf = Receiver("ops", {NoticeEvent.GAVE_UP})
    over = a_notice(NoticeEvent.RECOVERED)
    assert plan(deaf, over, (UNSENT,), said(minutes=1), NOW) == Plan(drop=(UNSENT,))
    assert plan(deaf, a_notice(NoticeEvent.STUCK), (), None, NOW) == Plan()


@pytest.mark.parametrize("waits", [(), (UNSENT,), (BEGUN,)], ids=["open", "unsent", "begun"])
def test_a_state_that_lasts_is_said_once(waits: tuple[Waiting, ...]) -> None:
    heard = None if waits else said(hours=9)
    assert plan(OPS, a_notice(), waits, heard, NOW, lasting=True) == Plan()


def test_the_end_of_a_state_that_lasts_is_said_once() -> None:
    over = a_notice(NoticeEvent.RECOVERED)
    assert plan(OPS, over, (END,), said(minutes=1), NOW, lasting=True) == Plan()
    assert plan(OPS, over, (), said(minutes=1), NOW, lasting=True).put == new(over.event)


def due(number: int, *, at: timedelta = timedelta(0), tries: int = 0) -> Waiting:
    return waiting(id=number, due_at=NOW + at, tries=tries)


@pytest.mark.parametrize(
    ("waits", "sent"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([due(1)], [], id="more-may-follow"),
        pytest.param([due(1, at=-GATHER)], [1], id="nothing-followed"),
        pytest.param([due(1, at=-GATHER), due(2, at=-SECOND)], [], id="another-followed"),
        pytest.param(
            [due(1, at=-LONGEST_GATHER), due(2, at=-SECOND)], [1, 2], id="others-follow-for-long"
        ),
        pytest.param(
            [due(each, at=-GATHER) for each in range(MANY)], [], id="many-wait-for-the-others"
        ),
        pytest.param(
            [due(each, at=-LONGEST_GATHER) for each in range(MANY)],
            list(range(MANY)),
            id="many-that-waited",
        ),
        pytest.param([due(1, at=-GATHER), due(2, at=QUIET)], [1], id="a-later-one-stays"),
        pytest.param([due(1, at=SECOND, tries=1), due(2, at=-QUIET)], [], id="left-alone"),
        pytest.param(
            [due(1, at=-SECOND, tries=1), due(2)], [1, 2], id="again-with-what-came-since"
        ),
        pytest.param([due(1, at=2 * QUIET)], [1], id="a-clock-that-was-ahead"),
    ],
)
def test_what_is_sent_now_as_one_message(waits: list[Waiting], sent: list[int]) -> None:
    assert [each.id for each in batch(waits, NOW)] == sent


def test_a_try_has_a_lease_and_all_of_a_message_share_its_number() -> None:
    begun = begin_try([due(1, tries=2), due(2)], NOW)
    assert [(each.tries, each.due_at) for each in begun] == [(3, NOW + LEASE)] * 2


@pytest.mark.parametrize(
    ("tries", "asked", "wait"),
    [
        (1, None, FIRST_AGAIN),
        (2, None, 2 * FIRST_AGAIN),
        (4, None, 8 * FIRST_AGAIN),
        (8, None, LONGEST_AGAIN),
        (5000, None, LONGEST_AGAIN),
        (1, timedelta(minutes=3), timedelta(minutes=3)),
        (8, SECOND, LONGEST_AGAIN),
        (1, timedelta(days=3), LONGEST_ASKED),
    ],
)
def test_the_wait_after_a_failure_doubles_and_the_receiver_may_ask_for_more(
    tries: int, asked: timedelta | None, wait: timedelta
) -> None:
    (again,) = failed_try([due(1, tries=tries)], NOW, asked)
    assert again.due_at - NOW == wait


def test_what_could_not_be_sent_for_a_day_is_old() -> None:
    assert not is_old(waiting(notice=a_notice(at=ago(hours=24))), NOW)
    assert is_old(waiting(notice=a_notice(at=ago(hours=24, seconds=1))), NOW)


def test_what_a_receiver_has_heard_after_each_kind_of_notice() -> None:
    opened = Said("ops", "m1", NOW, open=True)
    earlier = said(hours=1)
    assert after_sending(UNSENT, None, NOW) == opened
    assert after_sending(END, earlier, NOW) == replace(earlier, open=False)
    assert after_sending(END, None, NOW) is None
    assert after_sending(waiting(NoticeEvent.RETRIED), earlier, NOW) == earlier
    budget = waiting(NoticeEvent.FLEET_BUDGET_SPENT)
    assert after_sending(budget, None, NOW) == Said("ops", "fleet_budget", NOW, open=False)
