"""Tracebacks in the log, ours and the libraries': whole where it matters, and safe."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.events import LOGGED
from tests.fakes.records import PUSHED, REF
from watchdog.engine.events import Event, InternalError
from watchdog.telemetry.logs import LogListener, start_logging

KEY = "s3cret-key"
FORMS = ["json", "console"]


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root, scheduler = logging.getLogger(), logging.getLogger("apscheduler")
    handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    scheduler_level = scheduler.level
    yield
    root.handlers[:], logging.raiseExceptions = handlers, raising
    root.setLevel(level)
    scheduler.setLevel(scheduler_level)


def logged(event: Event, form: str = "json") -> str:
    stream = io.StringIO()
    LogListener(start_logging("info", form, stream), lambda: KEY)(event)
    return stream.getvalue()


def line(event: Event) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(logged(event))
    return found


def sink(depth: int) -> None:
    """Fail, deep down, with the key at hand in a variable."""
    at_hand = KEY
    if depth:
        sink(depth - 1)
        return
    _strike(at_hand)


def _strike(secret: str) -> None:
    raise ValueError(f"no route\x1b[31m for {secret}\n12:00:00Z [info     ] recovered")


def a_bug(depth: int = 3) -> ValueError:
    try:
        sink(depth)
    except ValueError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize("form", FORMS)
def test_a_bug_is_logged_with_the_place_where_it_struck(form: str) -> None:
    text = logged(InternalError(model_id="m1", error=a_bug(depth=200)), form)
    assert "in _strike" in text
    assert "ValueError: no route" in text
    assert len(text) < 10_000


@pytest.mark.parametrize("form", FORMS)
def test_a_librarys_traceback_has_its_place_and_nothing_that_was_at_hand(form: str) -> None:
    stream = io.StringIO()
    start_logging("info", form, stream, lambda: KEY)
    error = a_bug()
    logging.getLogger("some.library").error("no answer for %s\n!", KEY, exc_info=error)
    text = stream.getvalue()
    assert "in _strike" in text
    assert "no answer for ***" in text
    assert KEY not in text
    assert "\x1b" not in text


def test_a_librarys_traceback_shows_no_variables_when_nothing_is_masked() -> None:
    stream = io.StringIO()
    start_logging("info", "console", stream)
    kept = {"token": "only-in-a-variable"}
    try:
        assert kept["another"]
    except KeyError:
        logging.getLogger("some.library").exception("lost")
    text = stream.getvalue()
    assert "KeyError: 'another'" in text
    assert text.count("only-in-a-variable") == 0


@pytest.mark.parametrize("form", FORMS)
def test_nothing_in_a_traceback_passes_for_a_log_line_or_shows_the_key(form: str) -> None:
    text = logged(InternalError(model_id="m1", error=a_bug()), form)
    trace = json.loads(text)["exception"] if form == "json" else text.split("\n", 1)[1]
    assert KEY not in text
    assert "\x1b" not in text
    assert all(each.startswith("  ") for each in trace.splitlines())


def test_another_deployment_under_the_same_id_is_told_by_when_it_was_made() -> None:
    found = line(LOGGED["retry_deployment_mismatch"])
    assert found["observed_deployment_id"] == found["answered_deployment_id"] == REF.id
    assert found["observed_created_at"] == REF.created_at.isoformat()
    assert found["answered_created_at"] == PUSHED.created_at.isoformat()
