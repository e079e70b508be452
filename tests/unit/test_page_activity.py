"""What the page says happened lately."""

from dataclasses import replace
from typing import Any

from tests.fakes.fleet import OTHER, OWNER
from tests.fakes.records import FLEET, NOW, ago, an_attempt, refailed
from watchdog.domain.breaker import ClosedBy, Opening
from watchdog.domain.records import Action, ActionKind, Outcome, Resolution
from watchdog.domain.replica import Replica
from watchdog.engine.fleet.overview import Overview, Recent
from watchdog.web.activity import activity

PAUSE = Action(ago(minutes=3), ActionKind.PAUSE, None, "ann@desk", "incident", until=NOW)
OPENING = Opening(
    "o1",
    ago(minutes=30),
    failures=7,
    not_failing=3,
    condition_until=NOW,
    closed_at=ago(minutes=2),
    closed_by=ClosedBy.CANARY,
)
DAEMON = Replica(OWNER, "1.2.3", ago(hours=30), ago(hours=30), NOW, active=True)


def seen(*, replicas: tuple[Replica, ...] = (), **recent: Any) -> Overview:
    return Overview(NOW, (), FLEET, (), None, replicas, recent=Recent(**recent))


def test_everything_that_happened_is_one_list_newest_first() -> None:
    attempts = (an_attempt(reserved_at=ago(minutes=1)), refailed(ago(minutes=40)))
    overview = seen(
        attempts=attempts,
        actions=(PAUSE,),
        openings=(OPENING,),
        replicas=(replace(DAEMON, configured_at=ago(hours=1)),),
    )
    assert [(each.word, each.detail) for each in activity(overview)] == [
        ("accepted", "under way"),
        ("canary_passed", "after 28m"),
        ("pause", "incident"),
        ("breaker_open", "7 models began to fail, 3 did not"),
        ("accepted", "it failed again"),
        ("config_reloaded", ""),
        ("started", "version 1.2.3"),
    ]


def test_a_retry_that_was_refused_says_what_the_api_said() -> None:
    refused = an_attempt(Outcome.REFUSED, resolution=Resolution.ANSWERED, reason="no such image")
    (line,) = activity(seen(attempts=(refused,)))
    assert (line.model_id, line.what, line.detail) == ("m1", "retry 1: refused", "no such image")


def test_a_breaker_that_is_open_did_not_close() -> None:
    still = replace(OPENING, closed_at=None, closed_by=None)
    assert [each.word for each in activity(seen(openings=(still,)))] == ["breaker_open"]


def test_a_daemon_that_never_reloaded_only_started() -> None:
    lines = activity(seen(replicas=(DAEMON, replace(DAEMON, id=OTHER))))
    assert [(each.word, each.by) for each in lines] == [
        ("started", "watchdog-0/5f3a2c"),
        ("started", "watchdog-1/99aa00"),
    ]


def test_the_list_is_short_however_much_happened() -> None:
    attempts = tuple(an_attempt(id=f"a{number}") for number in range(40))
    assert len(activity(seen(attempts=attempts, actions=(PAUSE,)))) == 12
