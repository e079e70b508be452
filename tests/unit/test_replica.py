"""Which replicas count as alive."""

from datetime import timedelta

import pytest

from tests.fakes.records import NOW, ago
from watchdog.domain.replica import Replica, ReplicaState


@pytest.mark.parametrize(
    ("silent_seconds", "gone"), [(0, False), (30, False), (31, True), (-86_400, True)]
)
def test_a_replica_that_is_silent_for_more_than_half_a_minute_is_gone(
    silent_seconds: int, gone: bool
) -> None:
    """This includes a last heartbeat in the future, from before the clock was set back: a live
    replica would have sent one since."""
    seen_at = NOW - timedelta(seconds=silent_seconds)
    replica = Replica("daemon:a:1", "1.0.0", ago(hours=2), ago(hours=2), seen_at, active=True)
    assert (replica.state(NOW) is ReplicaState.GONE) is gone


@pytest.mark.parametrize(
    ("active", "state"), [(True, ReplicaState.ACTIVE), (False, ReplicaState.STANDBY)]
)
def test_a_replica_that_lives_is_active_or_stands_by(active: bool, state: ReplicaState) -> None:
    replica = Replica("daemon:a:1", "1.0.0", ago(hours=2), ago(hours=2), NOW, active=active)
    assert replica.state(NOW) is state
