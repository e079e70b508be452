"""A ledger with models in every state, as the commands that show it find it."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.fakes.records import REF, an_attempt, an_episode
from watchdog.clock import SystemClock
from watchdog.domain.records import (
    Attempt,
    Decision,
    DecisionKind,
    DecisionReason,
    Health,
    Outcome,
    Target,
)
from watchdog.engine.ports import LedgerTransaction
from watchdog.ledger import Role, SqlLedger

BASE_URL = "https://api.baseten.co"
LONG = "llama-3.1-70b-instruct-production-eu-west"
SECOND = timedelta(seconds=1)


def model(
    model_id: str, name: str, status: str, health: Health, decision: Decision, **more: Any
) -> Target:
    now = SystemClock().now()
    failing = health is Health.FAILING
    return Target(
        model_id=model_id,
        name=name,
        status=status,
        health=health,
        deployment=REF,
        status_since=now - timedelta(days=2),
        observed_at=now,
        failing_since=now - timedelta(days=2) if failing else None,
        observed_twice=True,
        episode=an_episode(id=f"e-{model_id}", model_id=model_id) if failing else None,
        decision=decision,
        **more,
    )


def well(model_id: str, name: str) -> Target:
    healthy = Decision(DecisionKind.NOTHING, DecisionReason.HEALTHY)
    return model(model_id, name, "ACTIVE", Health.HEALTHY, healthy)


def in_every_state() -> list[Target]:
    later = SystemClock().now() + timedelta(days=3, minutes=30)
    backoff = Decision(DecisionKind.WAIT, DecisionReason.BACKOFF, later)
    under_way = Decision(DecisionKind.WAIT, DecisionReason.ATTEMPT_UNDER_WAY)
    gave_up = Decision(DecisionKind.GIVE_UP, DecisionReason.REFUSED_TWICE)
    broken = Decision(DecisionKind.NOTHING, DecisionReason.BROKEN)
    failed, failing = "BUILD_FAILED", Health.FAILING
    return [
        well("w3llwell", "whisper"),
        model("w41twait", LONG, failed, failing, backoff),
        model("g4v3upup", f"{LONG}-2", failed, failing, gave_up),
        model("br0kenbr", "flux", "UNHEALTHY", Health.BROKEN, broken),
        model("r3covers", "mistral", "BUILDING", Health.IN_PROGRESS, under_way),
    ]


def refused(model_id: str, reason: str, ago: timedelta = timedelta(days=2)) -> Attempt:
    sent = SystemClock().now() - ago
    return an_attempt(
        Outcome.REFUSED,
        id=f"a-{model_id}",
        model_id=model_id,
        episode_id=f"e-{model_id}",
        reason=reason,
        reserved_at=sent,
        sent_at=sent,
        resolved_at=sent + SECOND,
    )


def write(
    folder: Path,
    targets: Sequence[Target],
    attempts: Sequence[Attempt] = (),
    more: Callable[[LedgerTransaction], None] = lambda _: None,
    base_url: str = BASE_URL,
) -> Path:
    """A ledger with these; the configuration that leads to it."""
    url = f"sqlite:///{folder}/ledger.db"
    asyncio.run(_fill(url, targets, attempts, more, base_url))
    config = folder / "watchdog.yaml"
    models = [{"id": each.model_id, "name": each.name} for each in targets]
    config.write_text(
        json.dumps({"store": {"url": url}, "models": models, "baseten": {"base_url": base_url}})
    )
    return config


async def _fill(
    url: str,
    targets: Sequence[Target],
    attempts: Sequence[Attempt],
    more: Callable[[LedgerTransaction], None],
    base_url: str,
) -> None:
    ledger = SqlLedger.open(url, clock=SystemClock(), base_url=base_url, role=Role.DAEMON)

    def fill(tx: LedgerTransaction) -> None:
        tx.targets.add_all(targets)
        for attempt in attempts:
            tx.attempts.add(attempt)
        more(tx)

    await ledger.transact(fill)
    await ledger.close()
