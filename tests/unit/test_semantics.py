"""docs/semantics.md gives the same words and numbers as the code."""

import importlib
import re
from dataclasses import fields
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.records import POLICY
from watchdog.config import Config
from watchdog.domain.breaker import CanaryResult, ClosedBy
from watchdog.domain.records import (
    ActionKind,
    DecisionKind,
    DecisionReason,
    EpisodeResult,
    FleetLimits,
    Outcome,
    Resolution,
    TargetState,
)
from watchdog.domain.replica import ReplicaState
from watchdog.domain.status import (
    HEALTHY_STATUSES,
    IN_PROGRESS_STATUSES,
    STOPPED_STATUSES,
    health_of,
)
from watchdog.text.duration import parse_duration

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "semantics.md").read_text()

_NAMED_NUMBER = re.compile(r"`([\w.]+)`\s\(([^()\s]+)\)")
"""`SOME_CONSTANT` (30s), `some.setting` (4)."""

_CITATION = re.compile(r"docs/semantics\.md, section (\d+)")


def table(heading: str) -> list[list[str]]:
    """The rows of the one table whose first column has that heading."""
    found = re.findall(rf"(?m)^\| {heading} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", TEXT)
    (rows,) = found
    return [row.strip("| ").split(" | ") for row in rows.splitlines()]


def words(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def first_words(heading: str) -> list[str]:
    return [word for row in table(heading) for word in words(row[0])]


@pytest.mark.parametrize(
    ("heading", "kind"),
    [
        ("state", TargetState),
        ("resolution", Resolution),
        ("outcome", Outcome),
        ("action", ActionKind),
        ("closed by", ClosedBy),
        ("replica", ReplicaState),
    ],
)
def test_each_word_has_one_row(heading: str, kind: type[StrEnum]) -> None:
    assert sorted(first_words(heading)) == sorted(kind)


def test_each_result_of_an_episode_and_of_a_canary_has_one_row() -> None:
    found = re.findall(r"(?m)^\| result \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", TEXT)
    results = [re.findall(r"(?m)^\| `(\w+)`", rows) for rows in found]
    assert [sorted(each) for each in results] == [sorted(EpisodeResult), sorted(CanaryResult)]


def test_each_decision_reason_has_a_row_that_says_what_is_decided() -> None:
    rows = table("reason")
    assert {words(row[0])[0] for row in rows} == set(DecisionReason)
    kinds = {kind.replace("_", " ") for kind in DecisionKind if kind is not DecisionKind.RETRY}
    assert {row[1] for row in rows} == kinds


def test_each_status_is_described_with_its_health() -> None:
    described = {
        status: words(row[1]) for row in table("status from the API") for status in words(row[0])
    }
    known = (
        HEALTHY_STATUSES | IN_PROGRESS_STATUSES | STOPPED_STATUSES | set(Config().policy.retry_on)
    )
    assert described == {status: [health_of(status, POLICY)] for status in known}


def test_it_is_said_of_each_outcome_whether_it_is_charged() -> None:
    said = {word: row[1].startswith("yes") for row in table("outcome") for word in words(row[0])}
    assert said == {outcome: outcome.charged for outcome in Outcome}


def constants() -> dict[str, Any]:
    """The values of the constants of the last section, by the names there."""
    found = {}
    for name, file in re.findall(r"(?m)^\| `([\w.]+)` \| \[`([\w/.]+)`\]", TEXT):
        module = importlib.import_module("watchdog." + file.removesuffix(".py").replace("/", "."))
        found[name] = getattr(module, name.rpartition(".")[2])
    return found


def setting(path: str) -> Any:
    found: Any = Config()
    for name in path.split("."):
        found = getattr(found, name)
    return found


def read_as(value: Any, text: str, name: str) -> Any:
    """The text as a value of the same kind."""
    if isinstance(value, timedelta):
        return parse_duration(text)
    if name.endswith("_SECONDS"):
        return parse_duration(text).total_seconds()
    return float(text)


def test_each_number_is_what_its_constant_or_setting_says() -> None:
    known, wrong = constants(), []
    numbers = _NAMED_NUMBER.findall(TEXT)
    for name, text in numbers:
        value = known[name] if name.rpartition(".")[2].isupper() else setting(name)
        if read_as(value, text, name) != value:
            wrong.append((name, text, value))
    assert wrong == []
    assert known.keys() == {name for name, _ in numbers if name.rpartition(".")[2].isupper()}
    assert len(numbers) > 60


def test_each_setting_that_is_named_is_there() -> None:
    sections = "|".join(Config.model_fields)
    named = set(re.findall(rf"`((?:{sections})\.[\w.]+)`", TEXT))
    optional = {"discovery", "allowed_times"}  # None by default
    for path in sorted(named):
        if not optional & set(path.split(".")):
            setting(path)
    assert len(named) > 20


def test_what_the_code_and_the_tests_cite_is_a_section() -> None:
    sections = set(re.findall(r"(?m)^## (\d+)\. ", TEXT))
    files = [path for folder in ("watchdog", "tests") for path in (ROOT / folder).rglob("*.py")]
    cited = {number for path in files for number in _CITATION.findall(path.read_text())}
    assert cited
    assert cited <= sections


def test_the_queue_names_each_reason_that_is_queued() -> None:
    (queue,) = re.findall(r"(?ms)^## 10\. .*?(?=^## )", TEXT)
    assert set(words(queue)) == {reason for reason in DecisionReason if reason.queued}


LIMITS = {
    "policy.max_attempts",
    "policy.max_attempts_per_window",
    *(f"fleet.{each.name}" for each in fields(FleetLimits)),
}


@pytest.mark.parametrize(
    "document", [ROOT / "docs" / "semantics.md", ROOT / "docs" / "deciding.md"]
)
def test_each_limit_has_a_row(document: Path) -> None:
    (rows,) = re.findall(r"(?m)^\| limit \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", document.read_text())
    assert set(re.findall(r"(?m)^\| `([\w.]+)`", rows)) == LIMITS


def test_each_section_but_the_last_ones_names_its_files() -> None:
    sections = re.split(r"(?m)^## ", TEXT)[1:]
    nameless = [each.splitlines()[0] for each in sections if "](../watchdog/" not in each]
    assert nameless == ["20. Exceptions"]
