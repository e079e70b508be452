"""What a log and the phases of a start say of a cause."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.config.causes import Catalogue, Entry, regular_expression, shipped
from watchdog.domain.cause_search import find_cause
from watchdog.domain.causes import (
    NOTHING,
    PERMANENT,
    Cause,
    Evidence,
    Startup,
    Sureness,
)
from watchdog.text.log import LAST_LINES, log_lines

CATALOGUE = Catalogue()


def cause_of(*lines: str) -> Cause:
    return find_cause(Evidence(lines), CATALOGUE).cause


NOT_FOUND = "ERROR: No matching distribution found for left-pad"
NO_VERSION = "ERROR: Could not find a version that satisfies the requirement x (from versions: 1)"
NO_WHEEL = "  ERROR: Failed building wheel for flash-attn"
RESET = "curl: (56) Recv failure: Connection reset by peer"
REFUSED = "curl: (7) Failed to connect to files.example.com port 443: Connection refused"
RETRYING = "WARNING: Retrying (Retry(total=4)) after connection broken by 'ReadTimeoutError'"
BAD_SYNTAX = "SyntaxError: invalid syntax"
NO_FILE = "FileNotFoundError: [Errno 2] No such file or directory: 'labels.txt'"
CHAINED = "During handling of the above exception, another exception occurred:"
TRACEBACK = "Traceback (most recent call last):"
ALL_THERE = "model.safetensors: 100%|##########| 4.98G/4.98G"
NOT_READY = "Deployment timed out: the model was not ready within 30 minutes"
NO_MEMORY = "[E] Error Code 2: OutOfMemory (Requested size was 29360128000 bytes.)"
SUMMARY = "RuntimeError: Engine core initialization failed. See root cause above."
PROBE_FAILED = "Warning  Unhealthy  Startup probe failed: connect: connection refused"
NO_NODES = "Warning  FailedScheduling  0/12 nodes are available: 12 Insufficient nvidia.com/gpu."


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        ((), Cause.UNKNOWN),
        (("Building...", "exit code: 1"), Cause.UNKNOWN),
        ((NOT_FOUND,), Cause.DEPENDENCY),
        # The last word wins over the first.
        ((BAD_SYNTAX, RESET), Cause.NETWORK),
        # An installer that cannot reach its index also reports that the package does not exist.
        ((RETRYING, NOT_FOUND), Cause.NETWORK),
        ((RESET, NO_WHEEL), Cause.NETWORK),
        # If it lists the versions, it did reach the index.
        ((RETRYING, NO_VERSION, NOT_FOUND), Cause.DEPENDENCY),
        # If something was not ready in time and the log gives a reason, that reason is the cause.
        ((NOT_READY,), Cause.TIMEOUT),
        ((NO_FILE, NOT_READY), Cause.USER_CODE),
        ((NO_NODES, NOT_READY), Cause.CAPACITY),
        # A handled error does not turn a transient one into a permanent one.
        ((BAD_SYNTAX, REFUSED), Cause.NETWORK),
        # A failure long before a likely cause was overcome.
        ((RESET, *["step"] * 60, NO_FILE), Cause.USER_CODE),
        ((RESET, *["step"] * 59, NO_FILE), Cause.NETWORK),
        # What is certain follows from little else, unless Python chains two exceptions.
        ((RESET, BAD_SYNTAX), Cause.USER_CODE),
        ((RESET, "", CHAINED, "", "TypeError: unhashable type: 'dict'"), Cause.NETWORK),
        (
            (RESET, CHAINED, "TypeError: unhashable type: 'dict'", "Exception while loading model"),
            Cause.NETWORK,
        ),
        ((CHAINED, RESET, "TypeError: unhashable type: 'dict'"), Cause.USER_CODE),
        ((RESET, TRACEBACK, "OSError: x", CHAINED, "GatedRepoError: x"), Cause.CONFIGURATION),
        ((RESET, f"#9 4.1 {CHAINED}", "#9 4.1 KeyError: 'url'"), Cause.NETWORK),
        (("WARNING: 429 Too Many Requests", CHAINED, "GatedRepoError: x"), Cause.CONFIGURATION),
        # What was not loaded is often None.
        ((RESET, "TypeError: 'NoneType' object is not iterable"), Cause.NETWORK),
        # A problem that was overcome is not the cause of the failure.
        ((RESET, ALL_THERE, NO_FILE), Cause.USER_CODE),
        ((NO_NODES, "Normal  Scheduled  5m", NOT_READY), Cause.TIMEOUT),
        # A summary says nothing by itself: the reason is elsewhere, or in the same line.
        ((SUMMARY,), Cause.UNKNOWN),
        ((BAD_SYNTAX, SUMMARY), Cause.USER_CODE),
        ((NO_MEMORY, SUMMARY), Cause.MEMORY),
        ((f"{SUMMARY} CUDA out of memory.",), Cause.MEMORY),
        # In one line, the network says more than a time-out, and every other cause more than it.
        (("wandb.errors.CommError: Run initialization has timed out",), Cause.NETWORK),
        (("level=error status=500 detail: write /data: no space left on device",), Cause.PLATFORM),
        # TorchServe gives the level INFO to everything that a model prints.
        ((f"10:00:01 [INFO ] W-9000-m_1.0-stdout MODEL_LOG - {NO_FILE}",), Cause.USER_CODE),
        # A remark is not a failure; at most it hints at a transient cause.
        (("WARNING: skipped: ModuleNotFoundError: No module named 'flash_attn'",), Cause.UNKNOWN),
        (("2026-11-27 INFO request was answered 503 Service Unavailable",), Cause.NETWORK),
        ((PROBE_FAILED, "INFO hub answered 503 Service Unavailable, retrying"), Cause.TIMEOUT),
        ((PROBE_FAILED, 'ts=1 lvl=warn msg="429 Too Many Requests"'), Cause.TIMEOUT),
        ((PROBE_FAILED, '{"ts": 1, "level": "info", "msg": "connection refused"}'), Cause.TIMEOUT),
        # A refused request may be the result of too many of them.
        (("API rate limit exceeded", "curl: (22) returned error: 403"), Cause.NETWORK),
        (("curl: (22) The requested URL returned error: 403",), Cause.CONFIGURATION),
        ((NO_FILE, "INFO: Connection reset by peer, reconnecting"), Cause.USER_CODE),
    ],
)
def test_a_log_says_its_cause(lines: tuple[str, ...], cause: Cause) -> None:
    assert cause_of(*lines) is cause


@pytest.mark.parametrize("entry", shipped(), ids=lambda entry: entry.pattern[:40])
def test_a_pattern_matches_its_example_and_none_of_its_near_misses(entry: Entry) -> None:
    assert entry.of_domain in CATALOGUE(entry.example)
    assert [line for line in entry.near_misses if entry.of_domain in CATALOGUE(line)] == []
    assert cause_of(entry.example) is (Cause.UNKNOWN if entry.overcome else entry.cause)


def test_no_pattern_is_there_twice() -> None:
    patterns = [entry.pattern for entry in shipped()]
    assert len(set(patterns)) == len(patterns)


def test_each_cause_has_a_pattern_and_a_sentence() -> None:
    assert {entry.cause for entry in shipped()} == set(Cause)
    assert all(cause.sentence.endswith(".") for cause in Cause)


@pytest.mark.parametrize(
    ("startups", "cause"),
    [
        ((("SCHEDULING", "STALLED"),), Cause.CAPACITY),
        ((("SCHEDULING", "SUCCESS"), ("IMAGE_PULL", "FAILED")), Cause.PLATFORM),
        ((("WEIGHT_DOWNLOAD", "FAILED"),), Cause.NETWORK),
        ((("CONTAINER_CREATE", "FAILED"),), Cause.PLATFORM),
        ((("READINESS", "STALLED"),), Cause.TIMEOUT),
        # This phase runs the model's code, which can fail for any reason.
        ((("CONTAINER_START", "FAILED"),), Cause.UNKNOWN),
        ((("SCHEDULING", "SUCCESS"),), Cause.UNKNOWN),
        ((("A_NEW_PHASE", "FAILED"),), Cause.UNKNOWN),
        ((), Cause.UNKNOWN),
    ],
)
def test_the_phases_of_a_start_say_the_cause_where_the_log_does_not(
    startups: tuple[tuple[str, str], ...], cause: Cause
) -> None:
    phases = tuple(Startup(phase, outcome) for phase, outcome in startups)
    assert find_cause(Evidence(("nothing to say",), phases), CATALOGUE).cause is cause


def test_what_was_never_scheduled_has_no_log_of_its_own() -> None:
    stalled = (Startup("SCHEDULING", "STALLED"),)
    assert find_cause(Evidence((NOT_READY,), stalled), CATALOGUE).cause is Cause.CAPACITY
    assert find_cause(Evidence((BAD_SYNTAX,), stalled), CATALOGUE).cause is Cause.USER_CODE


def test_what_its_user_says_of_a_line_goes_before_what_is_built_in() -> None:
    own = Catalogue([("syntaxerror.*line 7", Cause.PLATFORM)])
    found = find_cause(Evidence(("SyntaxError in line 7",)), own)
    assert (found.cause, found.sureness) == (Cause.PLATFORM, Sureness.CONFIGURED)
    assert find_cause(Evidence(("SyntaxError in line 8",)), own).cause is Cause.USER_CODE


OWN = Catalogue([("mirror is closed", Cause.CONFIGURATION), ("licence expired", Cause.PLATFORM)])
CLOSED, EXPIRED = "the mirror is closed", "the licence expired"


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        ((CLOSED, BAD_SYNTAX), Cause.CONFIGURATION),
        ((CLOSED, RESET), Cause.CONFIGURATION),
        ((CLOSED, *["step"] * 100, NOT_READY), Cause.CONFIGURATION),
        ((RESET, CHAINED, CLOSED), Cause.CONFIGURATION),
        ((f"WARNING: {CLOSED}",), Cause.CONFIGURATION),
        ((f"INFO {CLOSED}: Connection reset by peer", RESET), Cause.CONFIGURATION),
        ((EXPIRED, CLOSED), Cause.CONFIGURATION),
        ((CLOSED, EXPIRED, BAD_SYNTAX), Cause.PLATFORM),
        # The shipped patterns for problems that were overcome are not about own patterns.
        ((EXPIRED, "Normal  Scheduled  5m", ALL_THERE), Cause.PLATFORM),
        # If one line matches two own patterns, the cause that a retry may remove counts.
        ((f"{CLOSED}, {EXPIRED}",), Cause.PLATFORM),
    ],
)
def test_the_last_own_line_is_the_cause_whatever_the_other_lines_say(
    lines: tuple[str, ...], cause: Cause
) -> None:
    stalled = (Startup("SCHEDULING", "STALLED"),)
    assert find_cause(Evidence(lines), OWN).cause is cause
    assert find_cause(Evidence(lines, stalled), OWN).cause is cause


def test_a_finding_names_the_line_and_the_pattern() -> None:
    found = find_cause(Evidence(("Step 1", NO_WHEEL)), CATALOGUE)
    assert found.line == NO_WHEEL
    assert found.pattern in {entry.pattern for entry in shipped()}
    assert found.sureness.word == "likely"
    assert find_cause(Evidence(), CATALOGUE) == NOTHING


@pytest.mark.parametrize("text", ["(a", "(?=look-ahead)", "a{2000}{2000}", "\\1"])
def test_what_is_no_regular_expression_of_linear_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a regular expression"):
        regular_expression(text)


@given(st.lists(st.sampled_from([entry.example for entry in shipped()]), max_size=8))
def test_a_transient_last_word_that_is_more_than_a_hint_is_never_taken_for_a_permanent_one(
    lines: list[str],
) -> None:
    for last in (RESET, REFUSED, NO_NODES):
        assert cause_of(*lines, last) not in PERMANENT


@given(st.text())
def test_any_text_has_a_cause(text: str) -> None:
    assert find_cause(Evidence(log_lines(text)), CATALOGUE).cause in Cause


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ()),
        ("\n \n", ()),
        ("a\r\nb", ("a", "b")),
        ("10 %\r50 %\rdone\n", ("done",)),
        ("\x1b[31mred\x1b[0m\x1b]0;title\x07 text", ("red text",)),
        ("nul \x00 here", ("nul \\x00 here",)),
        (
            '{"level": "error", "msg": "load failed\\nValueError: bad", "at": 3}',
            ('{"level": "error", "at": 3}', "load failed", "ValueError: bad"),
        ),
        (
            '12:00 {"msg": "a\\n\\nb\\u001b[0m", "exc": "c\\r\\nd"}',
            ("12:00 {}", "a", "b", "c", "d"),
        ),
        (
            '{"error": {"type": "KeyError", "stack": "a\\nb"}, "n": [1]}',
            ('{"error": {"type": "KeyError"}, "n": [1]}', "a", "b"),
        ),
        (
            '{"msg": "again\\nConnectionError: x", "severity": "WARNING"}',
            ('{"msg": "again\\nConnectionError: x", "severity": "WARNING"}',),
        ),
        ('{"msg": "one line"}', ('{"msg": "one line"}',)),
        ("{not json\\n}", ("{not json\\n}",)),
        ('["a\\n{b"]', ('["a\\n{b"]',)),
        ('{"a": ' + "[" * 900 + r'"\n"', ('{"a": ' + "[" * 900 + r'"\n"',)),
    ],
)
def test_a_log_is_read_as_its_tools_meant_it(text: str, lines: tuple[str, ...]) -> None:
    assert log_lines(text) == lines


def test_only_the_end_of_a_log_is_read() -> None:
    lines = log_lines("\n".join(str(number) for number in range(LAST_LINES + 1)))
    assert (len(lines), lines[0], lines[-1]) == (LAST_LINES, "1", str(LAST_LINES))
