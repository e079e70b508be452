"""`check`: one pass over all targets, for cron and CI."""

import asyncio
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watchdog.cli.console import EXIT_API, fail
from watchdog.cli.models import key_refused
from watchdog.cli.options import ConfigOption, JsonOption, ModelsOption, load
from watchdog.cli.output import print_json, print_table

if TYPE_CHECKING:
    from watchdog.engine.target.check import Checked

EXIT_FAILING = 1

_HEADINGS = {
    "model_id": "model",
    "model_name": "name",
    "decision_reason": "why",
    "error": "note",
}
_WELL = frozenset({"healthy", "in_progress"})


def check(
    config: ConfigOption = None,
    model: ModelsOption = None,
    retry: Annotated[
        bool,
        typer.Option(
            "--retry",
            help="Retry what is failing, under the same limits and the same ledger as the daemon.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Look at every model once.

    Exit status: 0 all healthy or on their way; 1 some are not; 2 wrong usage or configuration;
    3 the API could not be asked about some, and the others are well.
    """
    loaded = load(config, models=model or ())
    if not loaded.config.watches_any:
        fail("no models to check: list them under `models:` in the file, or give --model ID")
    from watchdog.app.commands import check_once
    from watchdog.app.parts import SetupError
    from watchdog.engine.ports import ApiError, Denied, Held

    try:
        checked = asyncio.run(check_once(loaded.config, os.environ, retry=retry))
    except SetupError as error:
        fail(str(error))
    except ApiError as error:
        fail(f"the models cannot be listed: {error}", status=EXIT_API)
    if checked and all(isinstance(one.error, Denied | Held) for one in checked):
        refused = next((one.error for one in checked if isinstance(one.error, Denied)), None)
        if refused is not None:
            fail(key_refused(refused))
    rows = [_row(one, retried=retry) for one in checked]
    if json:
        print_json({"targets": rows})
    else:
        columns = ("model_id", "model_name", "health", "status", "decision_reason", "error")
        shown = [column for column in columns if retry or column != "decision_reason"]
        print_table(
            [_HEADINGS.get(column, column) for column in shown],
            [[str(row[column] or "-") for column in shown] for row in rows],
        )
    raise typer.Exit(_exit_code(rows))


def _row(checked: "Checked", *, retried: bool) -> dict[str, Any]:
    target, error = checked.target, checked.error
    seen = target.health.value if target.health else "missing" if target.missing_since else None
    return {
        "model_id": target.model_id,
        "model_name": target.name,
        "health": seen or "error",
        "status": target.status,
        "deployment_id": target.deployment.id if target.deployment else None,
        "decision_reason": target.decision.reason if retried else None,
        "next_attempt_at": target.decision.until,
        "error": str(error) if error else None,
    }


def _exit_code(rows: Sequence[dict[str, Any]]) -> int:
    if any(not _well(row) for row in rows if row["health"] != "error"):
        return EXIT_FAILING
    return EXIT_API if any(row["health"] == "error" for row in rows) else 0


def _well(row: dict[str, Any]) -> bool:
    """Healthy, or on its way: by itself, or through an attempt of ours."""
    return row["health"] in _WELL or row["decision_reason"] == "attempt_under_way"
