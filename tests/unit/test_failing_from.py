"""When the present failure of a target began."""

from dataclasses import replace

from tests.fakes.records import NOW, ago, failing, healthy
from watchdog.domain.records import EpisodeResult


def test_a_failure_that_a_retry_did_not_end_began_before_the_retry() -> None:
    target = failing(failing_since=ago(minutes=7))
    assert target.episode is not None
    episode = replace(target.episode, opened_at=ago(hours=5), failing_from=ago(minutes=20))
    assert replace(target, episode=episode).failing_from == ago(minutes=20)


def test_a_failure_after_another_one_that_ended_began_by_itself() -> None:
    target = failing(failing_since=ago(minutes=7))
    assert target.episode is not None
    ended = replace(
        target.episode,
        failing_from=ago(hours=5),
        ended_at=NOW,
        result=EpisodeResult.SUPERSEDED,
    )
    assert replace(target, episode=ended).failing_from == ago(minutes=7)
    assert replace(target, episode=None).failing_from == ago(minutes=7)


def test_what_does_not_fail_is_failing_from_no_time() -> None:
    assert healthy().failing_from is None
