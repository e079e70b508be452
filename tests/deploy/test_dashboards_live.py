"""Every panel and variable has data in a real Prometheus that scrapes the real demo."""

import json
import math
import re
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.dashboards import filled, panel_queries, variable_query, variables
from tests.deploy.servers import PATIENCE_SECONDS, ROOT, Demo, demo, get_json, prometheus, query
from tests.fakes.processes import command, put_faults

WATCHED = "m6z3p9td"
"""The demo's model that fails for ever: it is retried, given up, and here paused for a while."""

STEADY, STUCK, BROKEN = "e4k7n2wq", "stuck001", "unwell01"

CHOICES = {
    "all": {},
    "one, of no cluster": {"job": "baseten-watchdog", "model": WATCHED},
    "one, of a cluster": {"cluster": "blue", "job": "other", "model": WATCHED},
}
"""What a person may choose; the rest is as All. With all, there must be more than the 0 that stands
for none."""


def values(dashboard: str, choice: str) -> dict[str, str]:
    """The variables as Grafana fills them in."""
    every = {
        variable["name"]: variable.get("allValue", WATCHED)
        for name, variable in variables()
        if name == dashboard
    }
    return {**every, "__rate_interval": "20s", "__range": "10m", **CHOICES[choice]}


def _asked() -> set[tuple[str, str, bool]]:
    """Of each panel's queries: whose it is, the text, and whether it is about now alone."""
    found = set()
    for choice in CHOICES:
        for asked in panel_queries():
            text = asked.measured if choice == "all" else asked.expression
            title = f"{asked.dashboard}, {choice}: {asked.panel}"
            found.add((title, filled(text, values(asked.dashboard, choice)), asked.instant))
    return found


def test_every_panel_and_every_variable_has_data(tmp_path: Path) -> None:
    config, scenario = _with_a_stuck_and_a_broken_one(tmp_path)
    with (
        demo(tmp_path, config, scenario) as live,
        prometheus(tmp_path / "prometheus", live.address, clusters={"other": "blue"}) as server,
    ):
        _break_checks_of(STEADY, live)
        acts = _acts_of_persons(server, live)
        missing, began = _asked(), time.time()
        while missing:
            missing = {asked for asked in missing if not _has_data(server, asked, began)}
            next(acts, None)
            names = "\n".join(f"{title}: {text}" for title, text, _ in sorted(missing))
            assert time.time() < began + PATIENCE_SECONDS, f"no data for\n{names}"
            time.sleep(0.5)
        _check_the_options(server)


def _with_a_stuck_and_a_broken_one(folder: Path) -> tuple[Path, Path]:
    """The demo's configuration and scenario, with two more models."""
    scenario = yaml.safe_load((ROOT / "watchdog/emulator/default.yaml").read_text())
    stuck = {"id": STUCK, "name": "stuck-dev", "deploys": [["BUILD_FAILED"], ["BUILDING"]]}
    broken = {"id": BROKEN, "name": "broken-dev", "deploys": [["UNHEALTHY"]]}
    scenario["models"] += [stuck, broken]
    config = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    # No name: Grafana then shows the id.
    config["models"].append({"id": STUCK, "policy": {"stuck_after": "10s", "settle": "5s"}})
    config["models"].append({"id": BROKEN})
    paths = (folder / "config.yaml", folder / "scenario.yaml")
    for path, content in zip(paths, (config, scenario), strict=True):
        path.write_text(json.dumps(content))
    return paths


def _acts_of_persons(server: str, live: Demo) -> Iterator[None]:
    """Acts that no scenario contains. Each is done once it makes a difference and the one before
    was seen."""
    yield from _until(server, WATCHED, "waiting")
    _run(live, "pause", WATCHED, "--for", "2h")
    yield from _until(server, WATCHED, "paused")
    yield
    _run(live, "resume", WATCHED)
    yield from _until(server, WATCHED, "exhausted")
    yield from _until(server, STUCK, "stuck")
    live.config.write_text(json.dumps({**json.loads(live.config.read_text()), "mode": "observe"}))


def _until(server: str, model_id: str, state: str) -> Iterator[None]:
    """Until each of the two jobs has seen it."""
    labels = f'model_id="{model_id}",state="{state}"'
    while len(query(server, f"baseten_watchdog_target_state{{{labels}}}")) < 2:
        yield


def _check_the_options(server: str) -> None:
    models = [
        ("7hs2v0yb", "sdxl-dev 7hs2v0yb"),
        ("e4k7n2wq", "embeddings-dev e4k7n2wq"),
        ("j5c8g1uf", "mistral-dev j5c8g1uf"),
        ("m6z3p9td", "whisper-dev m6z3p9td"),
        ("q81xw5rl", "llama-dev q81xw5rl"),
        (STUCK, STUCK),
        (BROKEN, BROKEN),
    ]
    expected = {
        ("cluster", "all"): [("blue", "blue")],
        ("namespace", "all"): [],
        ("job", "all"): [("baseten-watchdog", "baseten-watchdog"), ("other", "other")],
        ("job", "one, of a cluster"): [("other", "other")],
        ("model", "all"): models,
        ("model", "one, of no cluster"): models,
        ("model", "one, of a cluster"): models,
    }
    for dashboard, variable in variables():
        for (name, choice), options in expected.items():
            if name == variable["name"]:
                assert _options(server, variable, values(dashboard, choice)) == options


def _has_data(server: str, asked: tuple[str, str, bool], began: float) -> bool:
    _, text, instant = asked
    if instant:
        samples = [series["value"] for series in query(server, text)]
    else:
        arguments = {"query": text, "start": began, "end": time.time(), "step": 1}
        answer = get_json(f"{server}/api/v1/query_range?{urllib.parse.urlencode(arguments)}")
        assert answer is not None, f"not understood: {text}"
        samples = [value for series in answer["data"]["result"] for value in series["values"]]
    return any(not math.isnan(float(value)) for _, value in samples)


def _options(server: str, variable: dict[str, Any], chosen: dict[str, str]) -> list[Any]:
    """Values and texts, as Grafana offers them, in the order of the values."""
    asked = variable_query(variable)
    text = filled(asked.expression, chosen)
    if asked.function == "label_values":
        arguments = urllib.parse.urlencode({"match[]": text})
        found = get_json(f"{server}/api/v1/label/{asked.label}/values?{arguments}")["data"]
        return [(value, value) for value in found]
    options = []
    for series in query(server, text):
        labels = ",".join(f'{name}="{value}"' for name, value in series["metric"].items())
        matched = re.search(asked.regex, f"{{{labels}}} {series['value'][1]}")
        assert matched is not None, labels
        options.append((matched["value"], matched["text"]))
    return sorted(options)


def _break_checks_of(model_id: str, live: Demo) -> None:
    put_faults(live.api_url, [{"fault": "unavailable", "models": [model_id], "times": 5}])


def _run(live: Demo, *arguments: str) -> None:
    whole = command(*arguments, "--config", live.config)
    subprocess.run(whole, env=live.env, check=True, capture_output=True)
