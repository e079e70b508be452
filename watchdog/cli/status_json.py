"""`status --json`."""

from collections.abc import Sequence
from typing import Any

from watchdog.cli.shown import Shown
from watchdog.engine.fleet.overview import Watched
from watchdog.engine.fleet.shapes import fleet_json, target_json


def status_json(seen: Shown, selected: Sequence[Watched], app_url: str) -> dict[str, Any]:
    return {
        "targets": [target_json(each, seen.now, app_url) for each in selected],
        **fleet_json(seen.overview),
    }
