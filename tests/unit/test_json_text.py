"""The one form in which values are printed as JSON."""

import json
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest

from watchdog.text.json_text import json_text


def test_times_durations_and_mappings_have_a_form() -> None:
    value = {
        "at": datetime(2026, 3, 1, 12, tzinfo=UTC),
        "for": timedelta(minutes=2),
        "more": MappingProxyType({"a": 1}),
    }
    text = json_text(value)
    assert text.endswith("}\n")
    assert json.loads(text) == {
        "at": "2026-03-01T12:00:00+00:00",
        "for": 120.0,
        "more": {"a": 1},
    }


def test_what_has_no_form_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot print a object as JSON"):
        json_text(object())
