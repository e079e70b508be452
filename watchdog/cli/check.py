"""`check`: one pass over all targets, for cron and CI."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watchdog.cli.console import EXIT_API, fail, fail_unanswered
from watchdog.cli.layout import Column, shorten_end, shorten_middle
from watchdog.cli.named import ids
from watchdog.cli.options import ConfigOption, JsonOption, complete_id, load
from watchdog.cli.output import print_json, print_table

if TYPE_CHECKING:
    from watchdog.engine.target.check import Checked

EXIT_FAILING = 1

_COLUMNS = {
    "model_id": Column("model", 3, shorten_middle),
    "model_name": Column("name", 0, shorten_middle),
    "health": Column("health"),
    "status": Column("status", 2),
    "decision_reason": Column("why"),
    "error": Column("note", 1, shorten_end),
}
_WELL = frozenset({"healthy", "in_progress"})


def check(
    config: ConfigOption = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="Look at this model alone, by id, name or pattern; may be repeated.",
            autocompletion=complete_id,
        ),
    ] = None,
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

    Exit status: 0 all healthy or on their way; 1 some are not; 2 wrong usage, configuration or
    key; 3 the API could not be asked about some, and the others are well.
    """
    loaded = load(config, models=ids(config, model or ()))
    if not loaded.config.watches_any:
        fail("no models to check: list them under `models:` in the file, or give --model ID")
    import asyncio

    from watchdog.app.commands import check_once
    from watchdog.app.setup import SetupError
    from watchdog.engine.ports import ApiError, Denied, Held

    try:
        checked = asyncio.run(check_once(loaded.config, os.environ, retry=retry))
    except SetupError as error:
        fail(str(error))
    except ApiError as error:
        fail_unanswered(error, "the models cannot be listed")
    if checked and all(isinstance(one.error, Denied | Held) for one in checked):
        refused = next((one.error for one in checked if isinstance(one.error, Denied)), None)
        if refused is not None:
            fail_unanswered(refused, "no model could be checked")
    rows = [_row(one, retried=retry) for one in checked]
    if json:
        print_json({"targets": rows})
    else:
        shown = {
            name: each for name, each in _COLUMNS.items() if retry or name != "decision_reason"
        }
        print_table(
            list(shown.values()),
            [[_cell(row, name) for name in shown] for row in sorted(rows, key=_urgency)],
            empty="There are no models to check.",
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


def _cell(row: dict[str, Any], name: str) -> str:
    if name == "model_name":
        return str(row["model_name"] or row["model_id"])
    return str(row[name] or "-")


def _urgency(row: dict[str, Any]) -> tuple[int, str]:
    """The models that are not well come first."""
    first = ("missing", "broken", "failing", "error", "not_retryable", "in_progress", "healthy")
    return first.index(row["health"]), _cell(row, "model_name")


def _exit_code(rows: Sequence[dict[str, Any]]) -> int:
    if any(not _well(row) for row in rows if row["health"] != "error"):
        return EXIT_FAILING
    return EXIT_API if any(row["health"] == "error" for row in rows) else 0


def _well(row: dict[str, Any]) -> bool:
    """Healthy, or on its way: by itself, or through an attempt of ours."""
    return row["health"] in _WELL or row["decision_reason"] == "attempt_under_way"
