"""The dashboards: held to Grafana's own schema, and each question asked of a real Prometheus."""

import json
import re
import subprocess
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.promql import problems
from tests.deploy.servers import ROOT, demo, eventually, get_json, prometheus
from tests.deploy.tools import run
from tests.fakes.processes import run as run_command

HERE = Path(__file__).parent
FOLDER = ROOT / "deploy/grafana"
DASHBOARDS = {
    name: json.loads((FOLDER / f"{name}.json").read_text()) for name in ("fleet", "model")
}

VARIABLES = {
    "cluster": ".*",
    "job": "baseten-watchdog",
    "model": "7hs2v0yb",  # the one of the demo that is exhausted in the end
    "__rate_interval": "15s",
}


def filled(text: str) -> str:
    """With the variables' values in place."""
    for name, value in VARIABLES.items():
        text = text.replace(f"${name}", value)
    assert "$" not in text
    return text


def panels(name: str) -> Iterator[dict[str, Any]]:
    yield from DASHBOARDS[name]["panels"]


QUESTIONS = [
    pytest.param(target["expr"], id=f"{name}: {panel['title']}, {target['refId']}")
    for name in DASHBOARDS
    for panel in panels(name)
    for target in panel["targets"]
]


def test_the_json_is_what_the_code_writes(tmp_path: Path) -> None:
    made = run("python", FOLDER / "dashboards.py", tmp_path)
    assert made.returncode == 0, made.stderr
    for name in DASHBOARDS:
        written = (tmp_path / f"{name}.json").read_text()
        assert written == (FOLDER / f"{name}.json").read_text()


def check_types(source: Path) -> subprocess.CompletedProcess[str]:
    options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext"]
    return subprocess.run(
        [HERE / "node_modules/.bin/tsc", *options, source],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def types() -> Path:
    """A folder beside Grafana's schema, which the compiler looks for upwards."""
    folder = HERE / "node_modules/.checked"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.parametrize("name", DASHBOARDS)
def test_grafanas_schema_accepts_it(name: str, types: Path) -> None:
    source = types / f"{name}.ts"
    head = (HERE / "dashboard.ts").read_text()
    source.write_text(f"{head}{(FOLDER / f'{name}.json').read_text()};\n")
    checked = check_types(source)
    assert (checked.returncode, checked.stdout) == (0, "")


@pytest.mark.parametrize(
    ("old", "new"), [('"absolute"', '"absolut"'), ('"editable"', '"editible"')]
)
def test_what_is_not_grafanas_is_found(old: str, new: str, types: Path) -> None:
    source = types / f"wrong-{new.strip(chr(34))}.ts"
    text = (FOLDER / "fleet.json").read_text()
    assert old in text
    source.write_text(f"{(HERE / 'dashboard.ts').read_text()}{text.replace(old, new)};\n")
    assert check_types(source).returncode != 0


@pytest.mark.parametrize("expression", QUESTIONS)
def test_the_program_has_every_metric_and_label_that_is_asked_for(expression: str) -> None:
    assert problems(filled(expression), {"": {"cluster"}}) == []


@pytest.mark.parametrize("name", DASHBOARDS)
def test_each_has_its_variables_its_links_and_room_for_its_panels(name: str) -> None:
    made = DASHBOARDS[name]
    assert made["uid"] == f"baseten-watchdog-{name}"
    wanted = ["datasource", "cluster", "job", *(["model"] if name == "model" else [])]
    assert [variable["name"] for variable in made["templating"]["list"]] == wanted
    links = [link["url"] for link in made["links"]]
    other = "model" if name == "fleet" else "fleet"
    assert links[0].endswith("/deploy/prometheus/RUNBOOKS.md")
    assert links[1].startswith(f"/d/baseten-watchdog-{other}")
    places = [panel["gridPos"] for panel in made["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert len({(place["x"], place["y"]) for place in places}) == len(places)


def test_every_question_is_answered_by_a_real_prometheus_that_scrapes_the_demo(
    tmp_path: Path,
) -> None:
    with (
        demo(tmp_path) as live,
        prometheus(tmp_path / "prometheus", live.address) as url,
    ):
        paused = run_command(
            *("pause", "e4k7n2wq", "--for", "1h", "--config", live.config), **live.environment
        )
        assert paused.returncode == 0, paused.stderr
        began = time.time()
        asked = {str(each.id): filled(str(each.values[0])) for each in QUESTIONS}
        eventually(lambda: _all_answered(url, asked, began), "an answer to every question")
        for made in DASHBOARDS.values():
            for variable in made["templating"]["list"]:
                if variable["type"] == "query":
                    assert _values(url, filled(variable["query"])) or variable["name"] == "cluster"


def _all_answered(url: str, asked: dict[str, str], began: float) -> bool | None:
    for name, expression in list(asked.items()):
        if _series(url, expression, began):
            del asked[name]
    return True if not asked else None


def _series(url: str, expression: str, began: float) -> list[Any]:
    span = {"query": expression, "start": began, "end": time.time() + 1, "step": 1}
    answer = get_json(f"{url}/api/v1/query_range?{urllib.parse.urlencode(span)}")
    assert answer is not None, f"not understood: {expression}"
    found: list[Any] = answer["data"]["result"]
    return [series for series in found if any(value != "NaN" for _, value in series["values"])]


def _values(url: str, query: str) -> list[str]:
    """What Grafana's label_values(selector, label) asks for."""
    match = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
    assert match is not None
    asked = urllib.parse.urlencode({"match[]": match[1]})
    found: list[str] = get_json(f"{url}/api/v1/label/{match[2]}/values?{asked}")["data"]
    return found
