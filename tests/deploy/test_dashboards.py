"""The dashboards: current, valid for Grafana, and about what the program has."""

import copy
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.grafana import links, looks, queries
from deploy.grafana.render import rendered
from tests.deploy.dashboards import (
    DASHBOARDS,
    FOLDER,
    PanelQuery,
    filled,
    panel_queries,
    panels,
    variable_query,
    variables,
)
from tests.deploy.grafana_schema import complaints
from tests.deploy.promql import problems
from tests.deploy.servers import ROOT
from tests.fakes.events import OUTCOMES
from watchdog.domain.causes import Cause
from watchdog.domain.records import DecisionReason, TargetState

VALUES = {
    "cluster": ".*",
    "namespace": ".*",
    "job": ".+",
    "model": "m1",
    "__rate_interval": "1m",
    "__range": "6h",
}
ELSEWHERE = {"": {"model_label"}}
"""Labels that the expression adds."""

EXPRESSIONS = {str(query): query.expression for query in panel_queries()} | {
    f"{name} {variable['name']}": variable_query(variable).expression
    for name, variable in variables()
}


def test_the_committed_json_is_what_the_code_generates() -> None:
    committed = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    assert committed == rendered(), "run: python -m deploy.grafana"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_dashboards_fit_grafanas_schema(name: str, tmp_path: Path) -> None:
    assert complaints(DASHBOARDS[name], tmp_path) == []


@pytest.mark.parametrize(
    ("where", "value", "says"),
    [
        (("refresh",), 30, "Type 'number' is not assignable"),
        (("templating", "list", 0, "type"), "databse", "databse"),
        (("templating", "list", 0, "auto"), False, "auto"),
        (("panels", 1, "options", "colorMode"), "blackground", "blackground"),
        (("panels", 1, "fieldConfig", "defaults", "thresholds", "mode"), "abolute", "abolute"),
    ],
    ids=str,
)
def test_grafanas_schema_finds_what_is_wrong(
    where: tuple[str | int, ...], value: object, says: str, tmp_path: Path
) -> None:
    wrong = copy.deepcopy(DASHBOARDS["fleet.json"])
    inner: Any = wrong
    for step in where[:-1]:
        inner = inner[step]
    inner[where[-1]] = value
    (found,) = complaints(wrong, tmp_path)
    assert says in found


def test_prometheus_parses_every_expression(tmp_path: Path) -> None:
    parsed = [
        {"record": f"r{number}", "expr": filled(expression, VALUES)}
        for number, expression in enumerate(EXPRESSIONS.values())
    ]
    rules = tmp_path / "rules.yaml"
    rules.write_text(json.dumps({"groups": [{"name": "parsed", "rules": parsed}]}))
    checked = subprocess.run(
        ["promtool", "check", "rules", "--lint=none", str(rules)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert f"{len(parsed)} rules found" in checked.stdout


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_the_program_has_every_metric_and_label_of_a_query(expression: str) -> None:
    text = filled(expression, VALUES)
    assert "baseten_watchdog_" in text
    assert problems(text, ELSEWHERE) == []


def test_every_label_of_a_legend_is_in_the_result() -> None:
    for name, panel in panels():
        for target in panel["targets"]:
            for label in re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")):
                query = PanelQuery(name, panel["title"], target["expr"], instant=False)
                assert re.search(rf"by \([^)]*\b{label}\b", query.expression), query


def test_every_state_reason_outcome_and_cause_has_its_look() -> None:
    never_suppressed = {
        DecisionReason.UNOBSERVED,
        DecisionReason.HEALTHY,
        DecisionReason.IN_PROGRESS,
        DecisionReason.NOT_RETRYABLE,
        DecisionReason.BROKEN,
        DecisionReason.ATTEMPT_UNDER_WAY,
    }
    assert set(looks.STATES) == set(TargetState)
    assert set(looks.REASONS) == set(DecisionReason) - never_suppressed
    assert set(looks.OUTCOMES) == set(OUTCOMES)
    assert set(looks.CAUSES) == set(Cause)


def test_every_runbook_that_is_linked_is_there() -> None:
    text = (ROOT / "deploy/prometheus/RUNBOOKS.md").read_text()
    anchors = {heading.lower() for heading in re.findall(r"^## (.+)$", text, re.MULTILINE)}
    urls = [link["url"] for _, panel in panels() for link in panel.get("links", [])]
    assert urls
    for url in urls:
        page, _, anchor = url.partition("#")
        assert page == links.RUNBOOKS
        assert anchor in anchors


def test_the_dashboards_link_to_one_another() -> None:
    uids = {name: dashboard["uid"] for name, dashboard in DASHBOARDS.items()}
    assert uids == {"fleet.json": links.FLEET, "model.json": links.MODEL}
    for name, other in (("fleet.json", links.MODEL), ("model.json", links.FLEET)):
        (to_other, to_runbooks, *_) = DASHBOARDS[name]["links"]
        assert to_other["url"].startswith(f"/d/{other}?${{datasource:queryparam}}&")
        assert to_other["keepTime"]
        assert "model" not in to_other["url"].partition("?")[2]
        assert to_runbooks["url"] == links.RUNBOOKS
    assert f"/d/{links.MODEL}?var-model=" in (FOLDER / "fleet.json").read_text()


def test_a_model_leads_to_baseten() -> None:
    *_, to_model = DASHBOARDS["model.json"]["links"]
    assert to_model["url"] == "https://app.baseten.co/models/${model}"
    logs = 'https://app.baseten.co/models/${__data.fields[\\"model_id\\"]}/logs/${__value.raw}'
    assert logs in (FOLDER / "fleet.json").read_text()


def test_every_panel_says_what_it_shows_and_asks_the_chosen_data_source() -> None:
    for name, panel in panels():
        assert panel["title"], name
        assert panel["description"], panel["title"]
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_no_panel_lies_over_another() -> None:
    for dashboard in DASHBOARDS.values():
        taken: set[tuple[int, int]] = set()
        for panel in dashboard["panels"]:
            at = panel["gridPos"]
            assert at["x"] + at["w"] <= 24, panel["title"]
            cells = {
                (x, y)
                for x in range(at["x"], at["x"] + at["w"])
                for y in range(at["y"], at["y"] + at["h"])
            }
            assert not cells & taken, panel["title"]
            taken |= cells


_ILL = {
    "A daemon is down": [("up", "1x5 0x20"), ("build_info", "1x5 _x20")],
    "No replica is active": [("active", "0x30"), ("ledger_created_timestamp_seconds", "7x30")],
    "Breaker open": [("breaker_open", "1x30")],
    "API down": [("api_up", "0x30")],
    "Key refused": [("api_key_accepted", "0x30")],
    "Ledger down": [("ledger_up", "0x30")],
}


@pytest.mark.parametrize("name", _ILL)
def test_what_is_wrong_with_one_release_is_seen_beside_another_one(
    name: str, tmp_path: Path
) -> None:
    well = [
        ("up", "1x30"),
        ("build_info", "1x30"),
        ("active", "1x30"),
        ("ledger_created_timestamp_seconds", "5x30"),
        ("breaker_open", "0x30"),
        ("api_up", "1x30"),
        ("api_key_accepted", "1x30"),
        ("ledger_up", "1x30"),
    ]

    def series(found: list[tuple[str, str]], instance: str) -> list[dict[str, str]]:
        return [
            {
                "series": f"{'' if each == 'up' else 'baseten_watchdog_'}{each}"
                f'{{job="pods",instance="{instance}"}}',
                "values": values,
            }
            for each, values in found
        ]

    expression = filled(queries.TROUBLE[name], VALUES)
    tests = [
        {
            "interval": "1m",
            "input_series": [*series(well, "a"), *series(other, "b")],
            "promql_expr_test": [
                {
                    "expr": expression,
                    "eval_time": "20m",
                    "exp_samples": [{"labels": "{}", "value": trouble}],
                }
            ],
        }
        for other, trouble in ((_ILL[name], 1), ([("up", "1x30")], 0))
    ]
    path = tmp_path / "tests.yaml"
    path.write_text(json.dumps({"evaluation_interval": "1m", "tests": tests}))
    tested = subprocess.run(
        ["promtool", "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr
