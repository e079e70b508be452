"""One log line for each fact, with the fields that people filter by; tracebacks whole and safe."""

import io
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.events import LOGGED, QUIET, TARGET
from tests.fakes.records import PUSHED, REF, an_attempt, failing
from watchdog.domain.records import Decision, DecisionKind, DecisionReason, Outcome
from watchdog.engine import events
from watchdog.engine.events import (
    ConfigReloadFailed,
    Event,
    InternalError,
    LedgerCreated,
    RetryAnswered,
    RetrySuppressed,
    Stopped,
)
from watchdog.telemetry.logs import LogListener, start_logging

KEY = "s3cret-key"
FORMS = ["json", "console"]


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    quiet = {logger: logger.level for logger in map(logging.getLogger, ("apscheduler", "uvicorn"))}
    handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    yield
    root.handlers[:], logging.raiseExceptions = handlers, raising
    root.setLevel(level)
    for logger, before in quiet.items():
        logger.setLevel(before)


def logged(event: Event, form: str = "json", level: str = "info") -> str:
    stream = io.StringIO()
    LogListener(stream, lambda: KEY, level=level, form=form)(event)
    return stream.getvalue()


def line(event: Event) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(logged(event))
    return found


def test_every_kind_of_event_is_known_here() -> None:
    kinds = {
        name
        for name, kind in vars(events).items()
        if isinstance(kind, type) and issubclass(kind, Event) and not name.endswith("Event")
    }
    assert kinds == {type(event).__name__ for event in [*LOGGED.values(), *QUIET]}


@pytest.mark.parametrize("name", LOGGED)
def test_each_fact_is_one_line_under_its_name(name: str) -> None:
    text = logged(LOGGED[name])
    assert text.count("\n") == 1
    found = json.loads(text)
    assert list(found)[:3] == ["timestamp", "level", "event"]
    assert found["event"] == name
    assert None not in found.values()


@pytest.mark.parametrize("event", QUIET, ids=lambda event: type(event).__name__)
def test_what_happens_all_the_time_is_not_logged(event: Event) -> None:
    assert logged(event, level="debug") == ""


def test_a_line_about_a_model_has_its_team_where_it_is_known() -> None:
    stream = io.StringIO()
    listener = LogListener(stream, lambda: KEY, level="info", form="json")
    known = events.TeamsSeen(teams={"m1": "team-a\n", "m2": "team-b"})
    for event in (LOGGED["gave_up"], known, LOGGED["gave_up"], LOGGED["operator_action"]):
        listener(event)
    listener(LOGGED["started"])
    listener(events.TeamsSeen(teams={"m2": "team-b"}))
    listener(LOGGED["gave_up"])
    lines = [json.loads(each) for each in stream.getvalue().splitlines()]
    teams = [(each["event"], each.get("team")) for each in lines]
    assert teams == [
        ("gave_up", None),
        ("gave_up", "team-a\\n"),
        ("operator_action", "team-a\\n"),
        ("started", None),
        ("gave_up", None),
    ]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        (
            "retry_suppressed",
            {
                "level": "info",
                "model_id": "m1",
                "model_name": "llama-dev",
                "deployment_id": "d1",
                "status": "BUILD_FAILED",
                "decision_reason": "window_spent",
                "until": "2026-03-01T12:05:00+00:00",
            },
        ),
        ("retry_refused", {"level": "warning", "attempt": 2, "reason": "because"}),
        ("retry_accepted", {"level": "info", "attempt": 2}),
        ("retry_outcome_unknown", {"level": "warning"}),
        (
            "gave_up",
            {"level": "error", "decision_reason": "episode_spent", "attempts_used": 4},
        ),
        ("recovered", {"level": "info", "after_seconds": 420.0, "attempts_used": 2}),
        ("check_failed", {"level": "warning", "code": "502", "in_a_row": 10}),
        ("api_held", {"operation": "retry", "decision_reason": "api_held"}),
        ("auth_failed", {"level": "error", "code": "401"}),
        ("deployment_stuck", {"level": "error", "attempt": 2}),
        (
            "started",
            {
                "mode": "retry",
                "version": "1.2.3",
                "targets": 1,
                "ledger": "sqlite:///ledger.db",
                "limits": {
                    "max_retries_per_minute": 4,
                    "max_in_flight": 10,
                    "max_attempts_per_window": 50,
                },
            },
        ),
        ("clock_drifted", {"difference_seconds": -3600.0}),
        (
            "clock_jumped",
            {"level": "warning", "by_seconds": 90000.0, "ledger_ahead_seconds": 91800.0},
        ),
        (
            "retry_deployment_mismatch",
            {
                "observed_deployment_id": REF.id,
                "answered_deployment_id": PUSHED.id,
                "observed_created_at": REF.created_at.isoformat(),
                "answered_created_at": PUSHED.created_at.isoformat(),
            },
        ),
        ("internal_error", {"level": "error", "error": "ValueError: a bug"}),
    ],
)
def test_the_fields_of_a_line(name: str, fields: dict[str, Any]) -> None:
    found = line(LOGGED[name])
    assert {key: found.get(key) for key in fields} == fields


@pytest.mark.parametrize("form", FORMS)
def test_text_from_the_api_cannot_break_a_line_show_the_key_or_fill_the_disk(form: str) -> None:
    reason = f"no\nsource \x1b[31m\u2028 for {KEY}" + "x" * 10_000
    attempt = an_attempt(Outcome.REFUSED, reason=reason)
    target = failing(status=f"BAD\n{KEY}", name=f"{KEY}\x00")
    text = logged(RetryAnswered(target=target, attempt=attempt), form)
    assert KEY not in text
    assert text.count("\n") == 1
    assert "\x1b" not in text
    assert len(text) < 1000


def test_the_console_shows_first_what_matters_most() -> None:
    text = logged(LOGGED["retry_refused"], "console")
    assert "retry_refused" in text
    assert text.index("llama-dev") < text.index("retry_refused") < text.index("reason=because")
    assert "d1" not in text


@pytest.mark.parametrize("name", [name for name in LOGGED if name != "internal_error"])
def test_a_line_for_a_person_is_one_line_of_120_columns_without_the_signs_of_a_program(
    name: str,
) -> None:
    first, *more = logged(LOGGED[name], "console").splitlines()
    assert re.match(r"[0-9:]{8} (debug|info|warning|error) +\S", first)
    assert len(first) <= 120
    assert not re.search(r"[{}\[\]()]|None|True|False|\+00:00|<", first)
    assert name in first
    assert (more != []) is (name == "started")


def test_a_long_name_is_shortened_in_the_middle_since_its_end_tells_it_apart() -> None:
    long = replace(TARGET, name="whisper-large-v3-turbo-fine-tuned-eu-west-23")
    decision = Decision(DecisionKind.WAIT, DecisionReason.WINDOW_SPENT)
    text = logged(RetrySuppressed(target=long, decision=decision), "console")
    assert text.split()[2] == "whisper-l...-west-23"


def test_an_operators_act_is_logged_with_the_models_name_and_its_whole_end() -> None:
    stream = io.StringIO()
    listener = LogListener(stream, lambda: KEY, level="info", form="console")
    listener(events.TeamsSeen(teams={"m1": "platform-research-europe"}))
    listener(LOGGED["operator_action"])
    told = stream.getvalue().split(maxsplit=4)
    assert told[2:4] == ["llama-dev", "operator_action"]
    assert re.match(r"action=pause who=ann@desk until=2026-[0-9T:-]{14} ", told[4])


def test_the_start_says_where_everything_is() -> None:
    lines = logged(LOGGED["started"], "console").splitlines()
    assert [line.split(maxsplit=1) for line in lines[1:]] == [
        ["page", "http://127.0.0.1:9464/"],
        ["metrics", "http://127.0.0.1:9464/metrics"],
        ["configuration", "/etc/baseten-watchdog.yaml"],
        ["API", "https://api.baseten.co"],
        ["ledger", "sqlite:///ledger.db"],
        ["limits", "max_retries_per_minute=4 max_in_flight=10 max_attempts_per_window=50"],
    ]


@pytest.mark.parametrize("reason", DecisionReason)
def test_a_wait_that_passes_by_itself_is_a_detail(reason: DecisionReason) -> None:
    decision = Decision(DecisionKind.WAIT, reason)
    _, level = RetrySuppressed(target=TARGET, decision=decision).logged_as()
    passing = {"first_delay", "backoff", "fleet_minute_spent", "api_held"}
    assert (level is events.Level.DEBUG) is (reason.value in passing)


def test_a_level_that_is_not_wanted_is_not_written() -> None:
    assert logged(LOGGED["recovered"], level="warning") == ""
    assert logged(LOGGED["gave_up"], level="error") != ""


def test_the_libraries_warnings_come_in_the_same_form_and_their_chatter_does_not() -> None:
    stream = io.StringIO()
    start_logging("debug", "json", stream)
    logging.getLogger("httpx").info("HTTP Request: GET https://...")
    logging.getLogger("some.library").warning("be %s", "careful")
    found = json.loads(stream.getvalue())
    assert (found["level"], found["event"]) == ("warning", "be careful")
    assert found["logger"] == "some.library"


def test_a_request_that_is_not_http_is_no_line() -> None:
    stream = io.StringIO()
    start_logging("debug", "json", stream)
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    assert stream.getvalue() == ""


class FullDisk(io.StringIO):
    def write(self, _: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_full_disk_or_a_closed_pipe_does_not_stop_the_daemon() -> None:
    closed = io.StringIO()
    for stream in (FullDisk(), closed):
        listener = LogListener(stream, lambda: KEY, level="info", form="json")
        closed.close()
        listener(Stopped(abandoned_checks=0))
    assert TARGET.name is not None


def sink(depth: int) -> None:
    """Raise in a nested call, with the key in a local variable."""
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


def test_a_word_of_the_configuration_that_looks_like_the_key_is_not_masked() -> None:
    stream = io.StringIO()
    listener = LogListener(stream, lambda: "storm", level="info", form="json")
    listener(LedgerCreated(ledger="sqlite:////tmp/storm.db"))
    listener(ConfigReloadFailed(problems=("/etc/storm/config.yaml:3: not YAML",)))
    listener(RetryAnswered(target=TARGET, attempt=an_attempt(reason="no storm")))
    created, failed, answered = map(json.loads, stream.getvalue().splitlines())
    assert created["ledger"] == "sqlite:////tmp/storm.db"
    assert failed["problems"] == "/etc/storm/config.yaml:3: not YAML"
    assert answered["reason"] == "no ***"


def test_a_word_of_the_watchdog_is_not_masked() -> None:
    stream = io.StringIO()
    listener = LogListener(stream, lambda: "window_spent", level="info", form="json")
    listener(LOGGED["retry_suppressed"])
    assert json.loads(stream.getvalue())["decision_reason"] == "window_spent"
