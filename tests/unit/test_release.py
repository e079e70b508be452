"""A release: one version, a changelog, and workflows that run what a developer can run."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.release import notes, problems
from watchdog import __version__

ROOT = Path(__file__).parents[2]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TARGETS = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))

NEEDS_AN_ACCOUNT = ("cosign sign", "helm push", "gh release create")
"""What publishes and signs. Only GitHub's runner has the permission."""

RELEASED = f"# C\n\n## [Unreleased]\n\n## [{__version__}] - 2026-11-30\n\n### Added\n\n- It.\n"


def steps(workflow: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    return [step for job in jobs for step in job.get("steps", [])]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_each_action_is_pinned_by_its_digest_beside_its_version(workflow: Path) -> None:
    used = re.findall(r"(?m)uses: (?!\./)(.+)$", workflow.read_text())
    assert used
    assert [each for each in used if not re.fullmatch(r"\S+@[0-9a-f]{40} # v[0-9.]+", each)] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_each_command_is_a_target_that_a_developer_can_run(workflow: Path) -> None:
    for step in steps(workflow):
        command = step.get("run", "make help")
        made = re.search(r"\bmake (?:--silent )?([a-z-]+)", command)
        if made:
            assert made[1] in TARGETS
        else:
            assert any(each in command for each in NEEDS_AN_ACCOUNT), command


def test_the_matrix_tests_every_python_that_is_supported() -> None:
    matrix = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["test"]
    assert matrix["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13", "3.14"]


def test_the_changelog_has_its_form() -> None:
    versions = re.findall(r"(?m)^## (.+)$", CHANGELOG)
    assert versions[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", each) for each in versions[1:])
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"(?m)^### (.+)$", CHANGELOG)) <= kinds


def test_a_release_has_the_notes_of_its_version() -> None:
    assert notes(RELEASED, __version__) == "### Added\n\n- It."
    assert problems(f"v{__version__}", RELEASED) == []


@pytest.mark.parametrize(
    ("tag", "changelog", "says"),
    [
        ("v9.9.9", RELEASED, "the version"),
        (f"v{__version__}", RELEASED.replace(" - 2026-11-30", ""), "CHANGELOG.md"),
        (f"v{__version__}", RELEASED.replace("### Added\n\n- It.\n", ""), "CHANGELOG.md"),
        (f"v{__version__}", RELEASED.replace(__version__, "9.9.9"), "CHANGELOG.md"),
    ],
    ids=["another-version", "no-date", "no-text", "no-section"],
)
def test_a_tag_that_is_not_ready_is_refused(tag: str, changelog: str, says: str) -> None:
    (problem,) = problems(tag, changelog)
    assert says in problem
