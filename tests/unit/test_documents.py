"""The documents have no broken link, and name everything that users meet."""

import re
import subprocess
import tomllib
from collections import Counter
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.bench.figures import DOCUMENT, with_figures
from tests.bench.results import KEPT, read
from tests.fakes.events import LOGGED, QUIET
from tests.fakes.records import NOW
from tests.reference import REFERENCE, settings, with_tables
from watchdog.config.policy_rules import CauseRules
from watchdog.domain.causes import Cause
from watchdog.domain.records import DecisionReason, Outcome
from watchdog.engine.events import TargetForgotten
from watchdog.engine.fleet.condition import Condition
from watchdog.telemetry.exposition import PREFIX
from watchdog.telemetry.metrics import Metrics

ROOT = Path(__file__).parents[2]
USERS_DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def git_files(*patterns: str) -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "--", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listing.stdout.splitlines()]


def prose(document: Path) -> str:
    """The text without its blocks of code."""
    return re.sub(r"(?ms)^```.*?^```$", "", document.read_text())


def links(document: Path) -> list[str]:
    """What its links and pictures lead to, in this repository."""
    text = re.sub(r"`[^`\n]*`", "code", prose(document))
    found = re.findall(r"\]\(([^)\s]+)[^)]*\)", text)
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub gives to the headings."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"(?m)^#{1,6} +(.+?) *$", prose(document)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def problems(document: Path) -> list[str]:
    """The broken links."""
    found = []
    for link in links(document):
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        lacks_anchor = anchor and target.is_file() and anchor not in anchors(target)
        if not target.exists() or lacks_anchor:
            found.append(link)
    return found


DOCUMENTS = git_files("*.md")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_to_its_heading(document: Path) -> None:
    assert problems(document) == []


def test_a_link_that_leads_nowhere_is_noticed(tmp_path: Path) -> None:
    document, other = tmp_path / "a.md", tmp_path / "b.md"
    other.write_text("# Two words\n\n## `code`, and more\n\n## Two words\n")
    document.write_text(
        "# Here\n[1](b.md) [2](b.md#two-words) [3](b.md#code-and-more) [4](b.md#two-words-1)\n"
        "[5](#here) [6](https://example.com/nowhere) ![7](c.png) [8](b.md#two) [9](#there)\n"
        "```\n[10](in-code.md)\n```\n`[11](in-code.md)`\n"
    )
    assert problems(document) == ["c.png", "b.md#two", "#there"]


def undescribed(words: list[str]) -> list[str]:
    text = "\n".join(path.read_text() for path in USERS_DOCUMENTS)
    return [word for word in words if not re.search(rf"(?<![\w.]){re.escape(word)}\b", text)]


def test_every_reason_and_outcome_is_described() -> None:
    outcomes = [outcome for outcome in Outcome if outcome is not Outcome.PENDING]
    assert undescribed([*DecisionReason, *outcomes]) == []


def test_every_metric_is_described() -> None:
    condition = Condition()

    class Clock:
        now = staticmethod(lambda: NOW)
        monotonic = staticmethod(lambda: 0.0)

    metrics = Metrics(Clock(), condition)
    for event in (*QUIET, *LOGGED.values()):
        if not isinstance(event, TargetForgotten):
            condition(event)
            metrics(event)
    body = b"".join(metrics.render()).decode()
    names = {
        re.sub("_(bucket|sum|count)$", "", sample.name).removeprefix(PREFIX)
        for family in text_string_to_metric_families(body)
        for sample in family.samples
        if sample.name.startswith(PREFIX)
    }
    assert len(names) > 30
    assert undescribed(sorted(names)) == []


def table(heading: str) -> list[list[str]]:
    """The rows of the table under a heading of the reference."""
    section = re.split(r"(?m)^## ", REFERENCE.read_text())
    (text,) = (each for each in section if each.startswith(f"{heading}\n"))
    rows = re.findall(r"(?m)^\| (.+) \|$", text)
    return [row.split(" | ") for row in rows[1:]]


def test_every_event_is_described_with_its_level() -> None:
    levels: dict[str, str] = {}
    for event in LOGGED.values():
        name, level = event.logged_as()
        levels[f"`{name}`"] = level.name.lower()
    rows = table("Events")
    assert {name: level for name, level, _ in rows} == levels
    assert len(rows) == len(levels)


def test_every_cause_is_described_with_what_happens_to_its_retries() -> None:
    rules = CauseRules().model_dump(mode="json")
    rows = re.findall(
        r"(?m)^\| `(\w+)` \| (.+) \| (\w+) \|$", (ROOT / "docs/causes.md").read_text()
    )
    assert rows == [(cause.value, cause.sentence, rules[cause]) for cause in Cause]


def test_every_reason_event_and_setting_is_described() -> None:
    text = REFERENCE.read_text()
    assert with_tables(text) == text, "run: make reference"
    assert undescribed(list(settings())) == []


def test_every_figure_is_the_one_that_was_measured() -> None:
    text = DOCUMENT.read_text()
    assert with_figures(text, read(KEPT)) == text, "run: make figures"


def test_every_exit_code_is_described() -> None:
    known = {"0"}
    for source in git_files("watchdog/cli/*.py"):
        text = source.read_text()
        known |= set(re.findall(r"(?m)^EXIT_\w+ = (\d+)$", text))
        known |= set(re.findall(r"Exit\((\d+)\b", text))
    assert {code for code, *_ in table("Exit codes")} == known


def architecture() -> str:
    return (ROOT / "docs" / "architecture.md").read_text()


def test_every_layer_is_described() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = contracts["contracts"][0]["layers"]
    names = [name.strip() for layer in layers for name in layer.split("|")]
    described = re.findall(r"`(watchdog\.\w[\w.]*)`", architecture())
    assert described == names


def test_it_is_said_why_each_dependency_is_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    required = [*project["dependencies"], *(each for extra in extras for each in extra)]
    section = architecture().partition("## The dependencies")[2]
    described = re.findall(r"(?m)^\| `([a-z0-9-]+)` \|", section)
    names = [re.split(r"[^a-z0-9-]", requirement)[0] for requirement in required]
    assert described == sorted(names)


def test_the_hooks_before_a_commit_need_no_network_and_run_what_make_check_runs() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    makefile = (ROOT / "Makefile").read_text()
    for repository in hooks["repos"]:
        assert repository["repo"] == "local"
        for hook in repository["hooks"]:
            assert hook["language"] == "system"
            command = hook["entry"].replace(".venv/bin/", "$(BIN)/")
            assert f"\t{command}\n" in makefile, hook["id"]
