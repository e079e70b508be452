"""A fleet with targets in many states, written into a ledger as a daemon would have left it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.fakes.records import NOW, POLICY, ago, an_attempt, an_episode, failing, healthy
from watchdog.domain.breaker import BreakerRules
from watchdog.domain.records import (
    Action,
    ActionKind,
    Attempt,
    Decision,
    DecisionKind,
    DecisionReason,
    EpisodeResult,
    FleetLimits,
    Health,
    Outcome,
    Resolution,
    StatusChange,
    Target,
)
from watchdog.domain.replica import Replica
from watchdog.engine.ports import LedgerTransaction
from watchdog.engine.settings import Model, Settings

OWNER = "daemon:watchdog-0:5f3a2c11"
OTHER = "daemon:watchdog-1:99aa00ff"
HOSTILE = "<script>document.title='pwned'</script>\x1b[31m\u202e"
"""Markup, an escape sequence, and a character that reverses the text direction."""

Past = list[tuple[float, str | None]]
"""Statuses, each with how many hours ago it began."""


def _decided(kind: DecisionKind, reason: DecisionReason, **ahead: float) -> Decision:
    return Decision(kind, reason, NOW + timedelta(**ahead) if ahead else None)


WAIT, NOTHING, GIVE_UP = DecisionKind.WAIT, DecisionKind.NOTHING, DecisionKind.GIVE_UP
WELL = _decided(NOTHING, DecisionReason.HEALTHY)


def _well(**values: Any) -> Target:
    return healthy(decision=WELL, status_since=ago(days=3), **values)


def _ill(model_id: str, hours: float, decision: Decision, **values: Any) -> Target:
    began = ago(hours=hours)
    episode = an_episode(
        id=f"e-{model_id}", model_id=model_id, opened_at=began, failing_from=began, standing=False
    )
    values = {"status_since": ago(hours=hours), "failing_since": ago(hours=hours)} | values
    return failing(model_id=model_id, episode=episode, decision=decision, **values)


class Seeded:
    """Targets with their histories."""

    def __init__(self) -> None:
        self.targets: list[Target] = []
        self.past: dict[str, Past] = {}
        self.attempts: list[Attempt] = []

    def add(self, target: Target, past: Past, *attempts: Attempt) -> None:
        episode = target.episode
        self.targets.append(target)
        self.past[target.model_id] = past
        for number, each in enumerate(attempts, start=1):
            assert episode is not None
            self.attempts.append(
                replace(
                    each,
                    id=f"{target.model_id}-{number}",
                    number=number,
                    model_id=target.model_id,
                    episode_id=episode.id,
                    owner=OWNER,
                )
            )

    def write(self, tx: LedgerTransaction) -> None:
        for target in self.targets:
            tx.targets.add(target)
            for hours, status in self.past[target.model_id]:
                tx.statuses.add([StatusChange(target.model_id, ago(hours=hours), status)])
        for attempt in self.attempts:
            tx.attempts.add(attempt)
        tx.actions.add(
            Action(ago(hours=3), ActionKind.RESET, "j5c8g1uf", "ann@desk", "weights uploaded anew")
        )
        for target in self.targets:
            if target.decision.reason is DecisionReason.PAUSED:
                until = target.decision.until
                pause = Action(ago(hours=0.5), ActionKind.PAUSE, target.model_id, "ann@desk", "")
                tx.actions.add(replace(pause, until=until))
        for owner, active in ((OWNER, True), (OTHER, False)):
            tx.replicas.save(Replica(owner, "0.1.0", ago(hours=30), ago(hours=30), NOW, active))


def tried(hours: float, outcome: Outcome = Outcome.ACCEPTED, **values: Any) -> Attempt:
    """An attempt so many hours ago, after which the target failed again unless the values say
    otherwise."""
    at = ago(hours=hours)
    given: dict[str, Any] = {
        "reserved_at": at,
        "sent_at": at,
        "answered_at": at,
        "resolution": Resolution.REFAILED,
        "resolved_at": at + timedelta(minutes=6),
    }
    return an_attempt(outcome, **(given | values))


def _notable(fleet: Seeded) -> None:
    spent = _decided(GIVE_UP, DecisionReason.EPISODE_SPENT)
    fleet.add(
        _ill("7hs2v0yb", 5.5, spent, name="sdxl-dev"),
        [(60, "ACTIVE"), (5.5, "BUILD_FAILED"), (4, "BUILDING"), (3.9, "BUILD_FAILED")],
        tried(5.4, reason="image pull failed"),
        tried(4.9),
        tried(4.0, Outcome.UNKNOWN, answered_at=None),
        tried(1.2, reason="CUDA 12.4 is not available on this accelerator"),
    )
    fleet.add(
        _ill("q81xw5rl", 0.4, _decided(WAIT, DecisionReason.BACKOFF, minutes=7), name="llama-dev"),
        [(30, "ACTIVE"), (0.4, "BUILD_FAILED")],
        tried(0.3),
    )
    under_way = _decided(WAIT, DecisionReason.ATTEMPT_UNDER_WAY)
    building = _ill("m6z3p9td", 1.0, under_way, name="whisper-dev")
    fleet.add(
        replace(
            building,
            status="BUILDING",
            health=Health.IN_PROGRESS,
            failing_since=None,
            status_since=ago(minutes=2),
        ),
        [(26, "ACTIVE"), (1.0, "BUILD_FAILED"), (0.033, "BUILDING")],
        tried(0.6),
        tried(0.035, resolution=None, resolved_at=None),
    )
    fleet.add(
        _ill("j5c8g1uf", 2.0, _decided(WAIT, DecisionReason.PAUSED, hours=1.5), name="mistral-dev"),
        [(24.5, "ACTIVE"), (9, "UPDATING"), (8.9, "ACTIVE"), (2, "BUILD_FAILED")],
    )
    recovered = an_episode(
        id="e-flux",
        model_id="k2d9s7mw",
        opened_at=ago(hours=14),
        failing_from=ago(hours=14),
        ended_at=ago(hours=13),
        result=EpisodeResult.RECOVERED,
    )
    fleet.add(
        _well(model_id="k2d9s7mw", name="flux-dev", episode=recovered),
        [(50, "ACTIVE"), (14, "BUILD_FAILED"), (13.4, "BUILDING"), (13, "ACTIVE")],
        tried(13.5, resolution=Resolution.RECOVERED),
    )
    stopped = _decided(NOTHING, DecisionReason.NOT_RETRYABLE)
    fleet.add(
        _well(model_id="b8r4c6tz", name="gemma-dev"),
        [(48, "ACTIVE"), (20, None), (19, "ACTIVE")],
    )
    idle = _well(model_id="x3f7h1qn", name="bark-dev")
    fleet.add(
        replace(
            idle,
            status="INACTIVE",
            health=Health.NOT_RETRYABLE,
            decision=stopped,
            status_since=ago(hours=7),
        ),
        [(40, "ACTIVE"), (7, "INACTIVE")],
    )


def a_fleet(count: int = 12, *, hostile: bool = False) -> Seeded:
    """So many targets: seven that each need attention, and healthy ones."""
    fleet = Seeded()
    _notable(fleet)
    if hostile:
        spent = _decided(GIVE_UP, DecisionReason.REFUSED_TWICE)
        fleet.add(
            _ill("h0st1le0", 1.0, spent, name=HOSTILE),
            [(1.0, HOSTILE)],
            tried(0.5, Outcome.REFUSED, resolution=Resolution.ANSWERED, reason=HOSTILE),
        )
    names = _names()
    while len(fleet.targets) < count:
        number = len(fleet.targets)
        fleet.add(
            _well(model_id=f"m{number:07}", name=next(names)),
            [(40, "ACTIVE"), (10, "SCALED_TO_ZERO"), (number % 9 + 0.5, "ACTIVE")],
        )
    return fleet


def _names() -> Iterator[str]:
    kinds = ("embeddings", "reranker", "orpheus", "qwen", "phi", "clip", "deepseek", "sam")
    for number in range(10_000):
        suffix = f"-{number // len(kinds)}" if number >= len(kinds) else ""
        yield f"{kinds[number % len(kinds)]}{suffix}-dev"


def settings_of(fleet: Seeded, **values: Any) -> Settings:
    """Settings that watch these targets, in retry mode unless the values say otherwise."""
    made = Settings(
        observe=False,
        owner=OWNER,
        models={each.model_id: Model(each.name, POLICY) for each in fleet.targets},
        limits=FleetLimits(4, 10, 50),
        breaker=BreakerRules(3, 0.3, 20, timedelta(minutes=10), timedelta(minutes=10)),
        interval=timedelta(minutes=1),
        recovery_interval=timedelta(seconds=15),
        timeout=timedelta(seconds=10),
        concurrency=20,
        max_rate=50,
        diagnose=False,
    )
    return replace(made, **values)
