"""The one way to write a document in JSON: of the commands and of the web server."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any


def json_text(value: object) -> str:
    """An indented document with a line feed at its end; datetimes in ISO 8601, durations in
    seconds. Raises TypeError for what has no form in JSON."""
    return json.dumps(value, indent=2, default=_plain) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"cannot print a {type(value).__name__} as JSON")
