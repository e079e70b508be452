"""One event of each kind, with every field set."""

from dataclasses import replace
from datetime import timedelta

from tests.fakes.records import FLEET, NOW, POLICY, PUSHED, REF, an_attempt, an_episode, failing
from watchdog.domain.breaker import ClosedBy
from watchdog.domain.causes import Cause, Finding, Sureness
from watchdog.domain.notices import NoticeEvent
from watchdog.domain.records import (
    Action,
    ActionKind,
    Decision,
    DecisionKind,
    DecisionReason,
    EpisodeResult,
    Hold,
    Outcome,
)
from watchdog.engine import events as e

LIMITS = FLEET.limits
UNTIL = NOW + timedelta(minutes=5)
HOLD = Hold(DecisionReason.API_HELD, UNTIL)
WAITING = Decision(DecisionKind.WAIT, DecisionReason.BACKOFF, UNTIL)
GAVE_UP = Decision(DecisionKind.GIVE_UP, DecisionReason.EPISODE_SPENT)
TARGET = failing(name="llama-dev", decision=WAITING)
ATTEMPT = an_attempt(number=2, reason="no capacity")
ENDED = an_episode(result=EpisodeResult.RECOVERED, ended_at=NOW)

PAUSE = Action(NOW, ActionKind.PAUSE, "m1", "ann@desk", "platform incident", until=UNTIL, id=1)

LOGGED: dict[str, e.Event] = {
    "started": e.Started(
        version="1.2.3",
        replica="daemon:host:5f3a",
        mode="retry",
        targets=1,
        limits=LIMITS,
        ledger="sqlite:///ledger.db",
        page="http://127.0.0.1:9464/",
        metrics="http://127.0.0.1:9464/metrics",
        config="/etc/baseten-watchdog.yaml",
        api="https://api.baseten.co",
    ),
    "stopped": e.Stopped(abandoned_checks=1),
    "replica_active": e.BecameActive(),
    "replica_standby": e.BecameStandby(why="the ledger has not answered for 30 s"),
    "config_reloaded": e.ConfigReloaded(
        changed=("policy.max_attempts", "models"), mode="retry", targets=2, limits=LIMITS
    ),
    "models_discovered": e.ModelsDiscovered(joined=("m1", "m2"), left=("m3",), discovered=2),
    "discovery_failed": e.DiscoveryFailed(error="bad gateway"),
    "listing_incomplete": e.ListingIncomplete(listed=7, unreadable=1),
    "config_reload_failed": e.ConfigReloadFailed(problems=("a.yaml:3: not YAML", "and more")),
    "operator_action": e.OperatorActed(action=PAUSE, model_name="llama-dev"),
    "config_warning": e.ConfigDoubtful(warning="policy.retry_on: empty"),
    "ledger_created": e.LedgerCreated(ledger="sqlite:///ledger.db"),
    "ledger_unavailable": e.LedgerLost(error="disk full"),
    "ledger_available": e.LedgerBack(),
    "ledger_went_back": e.LedgerWentBack(put_back=2),
    "clock_drifted": e.ClockDrifted(difference=timedelta(hours=-1)),
    "clock_jumped": e.ClockJumped(by=timedelta(hours=25), ledger_ahead=timedelta(hours=25.5)),
    "interval_stretched": e.IntervalStretched(
        interval=timedelta(minutes=1), effective=timedelta(minutes=2)
    ),
    "nothing_watched": e.NothingWatched(),
    "internal_error": e.InternalError(model_id="m1", error=ValueError("a bug")),
    "api_held": e.ApiHeld(operation="retry", hold=HOLD),
    "api_down": e.ApiDown(code="502", error="bad gateway", failures=3),
    "api_recovered": e.ApiRecovered(after=timedelta(minutes=3)),
    "breaker_opened": e.BreakerOpened(failures=3, not_failing=1, canary_at=UNTIL),
    "canary_sent": e.CanarySent(target=TARGET, attempt=ATTEMPT),
    "canary_failed": e.CanaryFailed(model_id="m1", canary_at=UNTIL),
    "breaker_closed": e.BreakerClosed(
        closed_by=ClosedBy.CANARY, canary="m1", after=timedelta(minutes=20)
    ),
    "notification_sent": e.NotificationSent(receiver="ops", notices=2, answer="HTTP 200: ok"),
    "notification_failed": e.NotificationFailed(
        receiver="ops", notices=2, answer="HTTP 503", tries=3
    ),
    "notification_dropped": e.NotificationDropped(
        receiver="ops", notice=NoticeEvent.GAVE_UP, about="m1"
    ),
    "retries_forbidden": e.RetriesForbidden(models=3, probe_at=UNTIL),
    "retries_allowed": e.RetriesAllowed(after=timedelta(hours=2)),
    "auth_failed": e.AuthFailed(code="401", hold=HOLD),
    "auth_recovered": e.AuthRecovered(),
    "check_failed": e.CheckFailed(target=TARGET, code="502", error="bad gateway", in_a_row=10),
    "deployment_failing": e.DeploymentFailing(target=TARGET, episode=an_episode(), reopened=True),
    "cause_found": e.CauseFound(
        target=TARGET, finding=Finding(Cause.NETWORK, Sureness.CERTAIN, "a line", "a pattern")
    ),
    "deployment_failed_again": e.DeploymentFailedAgain(target=TARGET, attempt=ATTEMPT),
    "retry_reserved": e.RetryReserved(target=TARGET, attempt=ATTEMPT),
    "retry_deployment_mismatch": e.RetryMismatched(
        target=TARGET, attempt=ATTEMPT, observed=REF, answered=PUSHED
    ),
    "retry_suppressed": e.RetrySuppressed(
        target=TARGET, decision=replace(WAITING, reason=DecisionReason.WINDOW_SPENT)
    ),
    "gave_up": e.GaveUp(target=TARGET, decision=GAVE_UP, attempts_used=4),
    "recovered": e.Recovered(
        target=TARGET, episode=ENDED, after=timedelta(minutes=7), attempts_used=2
    ),
    "episode_superseded": e.EpisodeSuperseded(target=TARGET, episode=ENDED),
    "deployment_replaced": e.DeploymentReplaced(target=TARGET, episode=ENDED),
    "deployment_broken": e.DeploymentBroken(target=TARGET),
    "deployment_no_longer_broken": e.DeploymentNoLongerBroken(target=TARGET),
    "deployment_stuck": e.DeploymentStuck(target=TARGET, attempt=ATTEMPT),
    "target_missing": e.TargetMissing(target=TARGET, episode=ENDED),
    "target_removed": e.TargetRemoved(target=TARGET, episode=ENDED),
} | {
    name: e.RetryAnswered(target=TARGET, attempt=an_attempt(outcome, number=2, reason="because"))
    for outcome, name in e.RetryAnswered.LOG_NAMES.items()
}
"""The events that are logged, by their name in the log."""

QUIET: list[e.Event] = [
    e.FleetSeen(fleet=FLEET),
    e.ApiClockSeen(ledger_ahead=timedelta(minutes=5)),
    e.PausesSeen(pauses=(PAUSE,)),
    e.BreakerSeen(open=True),
    e.ForbiddenSeen(forbidden=True),
    e.EffectSeen(target=TARGET, episode=an_episode(), attempt=ATTEMPT),
    e.LedgerOpened(created_at=NOW),
    e.LedgerTransacted(duration_seconds=0.002),
    e.WatchingSeen(count=2),
    e.NotificationsWaiting(count=2, receivers=("ops",)),
    e.DiscoveryDone(at=NOW, discovered=2),
    e.ModelsListed(listed=7, unreadable=1),
    e.TeamsSeen(teams={"m1": "team-a"}),
    e.SweepDone(at=NOW, first=True),
    e.ApiRequested(operation="get_deployment", code="200", duration_seconds=0.1),
    e.TargetChanged(target=TARGET, policy=POLICY, attempts=(ATTEMPT,)),
    e.TargetUnrecorded(target=TARGET),
    e.CheckStarted(model_id="m1", lateness=timedelta(seconds=1)),
    e.CheckDone(model_id="m1", result="healthy", observed_at=NOW),
    e.TargetForgotten(model_id="m1"),
]
"""The events that are not logged."""

OUTCOMES = [outcome for outcome in Outcome if outcome is not Outcome.PENDING]
