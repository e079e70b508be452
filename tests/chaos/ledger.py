"""The ledger's rows, read from PostgreSQL itself, and what they say may still be retried."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

from tests.fakes.postgres import Postgres
from tests.simulation.scenario import FAILING, ModelPlan, Scenario

_CHARGED = ("pending", "accepted", "refused", "unknown")

_ATTEMPTS = (
    "SELECT id, model_id, owner, episode_id, outcome, reserved_at / 1e6 AS reserved_at, "
    "coalesce(sent_at, reserved_at) / 1e6 AS sent_at FROM attempts ORDER BY reserved_at"
)
_EPISODES = "SELECT model_id, episode_id FROM targets"


@dataclass(slots=True)
class Row:
    """An attempt. Times are seconds since the start."""

    id: str
    model_id: str
    owner: str
    episode_id: str
    outcome: str
    reserved_at: float
    sent_at: float


def read(database: Postgres, began_at: float) -> tuple[list[Row], dict[str, str | None]]:
    """The attempts, and each model's present episode. `began_at`: in seconds since the epoch."""
    with psycopg.connect(database.url().replace("+psycopg", "")) as connection:
        with connection.cursor(row_factory=class_row(Row)) as cursor:
            rows = cursor.execute(_ATTEMPTS).fetchall()
        episodes: dict[str, str | None] = dict(connection.execute(_EPISODES).fetchall())
    for row in rows:
        row.reserved_at = float(row.reserved_at) - began_at
        row.sent_at = float(row.sent_at) - began_at
    return rows, episodes


def still_due(
    scenario: Scenario,
    rows: Sequence[Row],
    episodes: Mapping[str, str | None],
    statuses: Mapping[str, str | None],
    now: float,
) -> dict[str, str]:
    """The models that are left failing though no limit of theirs keeps them from being retried, or
    with an attempt that nobody settled."""
    due = {}
    for model in scenario.models:
        own = [row for row in rows if row.model_id == model.id]
        if any(row.outcome == "pending" for row in own):
            due[model.id] = "an attempt of it is still pending"
        elif statuses[model.id] in FAILING and not _spent(model, own, episodes.get(model.id), now):
            due[model.id] = f"left in {statuses[model.id]}, though it may be retried"
    return due


def _spent(model: ModelPlan, own: Sequence[Row], episode: str | None, now: float) -> bool:
    charged = [row for row in own if row.outcome in _CHARGED]
    here = [row.outcome for row in charged if row.episode_id == episode]
    recent = [row for row in charged if now - row.sent_at < model.rules.window]
    return (
        len(here) >= model.rules.max_attempts
        or here[-2:] == ["refused", "refused"]
        or len(recent) >= model.rules.max_attempts_per_window
    )
