"""The fleet file of `simulate`."""

from pathlib import Path

import pytest

from tests.fakes.simulated import FLEET
from watchdog.simulate.fleet import PRESETS, FleetError, load_fleet


def test_every_preset_can_be_read() -> None:
    assert all(load_fleet(name).models == 300 for name in PRESETS)


def test_a_file_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text(FLEET)
    assert load_fleet(str(tmp_path / "fleet.yaml")).models == 5


def test_the_example_in_the_document_can_be_read(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "simulate.md").read_text()
    _, _, rest = text.partition("```yaml\n")
    (tmp_path / "fleet.yaml").write_text(rest.partition("```")[0])
    assert len(load_fleet(str(tmp_path / "fleet.yaml")).faults) == 2


@pytest.mark.parametrize(
    ("was", "becomes", "problem"),
    [
        (
            "unknown: 0.5",
            "unknown: 0.4",
            "faults[0].causes: the shares must add up to 1, and they add up to 0.9",
        ),
        ("unknown: 0.5", "unkown: 0.5", "faults[0].causes.unkown: must be 'dependency', "),
        (
            "network: 0.5, unknown: 0.5",
            "network: -1, unknown: 2",
            "faults[0].causes: a share must be at least 0",
        ),
        ("models: 5", "models: 0", "models: must be at least 1"),
        ("models: 5", "models: many", "models: must be a whole number"),
        ("person: 4h", "person: -4h", "person: not a duration"),
        ("person: 4h", "person: 20000d", "person: must be at most 3650d"),
        ("lasts: 20m", "lasts: -20m", "faults[0].lasts: not a duration"),
        ("lasts: 20m", "lasts: 0s", "faults[0].lasts: median must be more than 0"),
        (
            "lasts: 20m",
            "lasts: 20",
            "faults[0].lasts: write a duration, as 20m, or its median and p95",
        ),
        (
            "lasts: 20m",
            "lasts: [20m]",
            "faults[0].lasts: write a duration, as 20m, or its median and p95",
        ),
        (
            "unknown: 0.5",
            "unknown: yes",
            "faults[0].causes.unknown: must be a number, not yes or no",
        ),
        (
            "{ network: 0.5, unknown: 0.5 }",
            "[network]",
            "faults[0].causes: must be a mapping: a name and",
        ),
        ("lasts: 20m", "lasts: soon", "faults[0].lasts: not a duration"),
        ("every: 1d", "every: 59s", "faults[0].every: must be at least 1m"),
        ("every: 1d", "share: 2\n    every: 1d", "faults[0].share: must be at most 1"),
        ("every: 1d", "at: 1d\n    every: 1d", "faults[0]: give either every or at"),
        ("every: 1d", "every: 1d\n    spread: 1h", "faults[0]: spread needs at"),
        ("p95: 9m", "p95: 1m", "fails_after: p95 must be at least the median"),
        ("models: 5", "model: 5", "model: no such setting"),
        ("build: 4m", "", "build: is missing"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(
    tmp_path: Path, was: str, becomes: str, problem: str
) -> None:
    assert was in FLEET
    path = tmp_path / "fleet.yaml"
    path.write_text(FLEET.replace(was, becomes))
    with pytest.raises(FleetError) as raised:
        load_fleet(str(path))
    (line,) = raised.value.problems
    assert line.startswith(f"{path}: {problem}")
    assert "\n" not in line


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"faults: [", "not YAML"),
        (b"- a list", "not a mapping of settings: see docs/simulate.md"),
        (b"\xff", "not UTF-8 text: save the file as UTF-8$"),
        (b"days: 3\ndays: 4", "not YAML: the key 'days' is there twice$"),
    ],
)
def test_a_file_that_is_no_fleet_is_one_line(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_bytes(content)
    with pytest.raises(FleetError, match=problem) as raised:
        load_fleet(str(path))
    assert len(raised.value.problems) == 1


def test_a_name_that_is_neither_a_file_nor_a_preset_names_the_presets() -> None:
    with pytest.raises(FleetError, match=r"cannot be read: .*; the presets are quiet-week, "):
        load_fleet("noisy-week")


def test_a_fault_that_begins_after_the_last_day_is_refused() -> None:
    fleet = load_fleet("bad-push")
    fleet.check_reached("bad-push")
    with pytest.raises(FleetError) as raised:
        fleet.sized(None, 2).check_reached("bad-push")
    assert raised.value.problems == (
        "bad-push: faults[2].at: 4d16h is after the end, which is at 2d: simulate more --days",
    )
