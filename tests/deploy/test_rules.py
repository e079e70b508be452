"""The alerting rules: checked by the real tools, and shown by a real Alertmanager."""

import re
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.promql import problems
from tests.deploy.servers import ROOT, alertmanager, demo, eventually, get_json, prometheus

FOLDER = ROOT / "deploy/prometheus"
RULES = FOLDER / "rules.yaml"
TESTS = FOLDER / "rules_test.yaml"

ALL = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
ALERTS = [rule for rule in ALL if "alert" in rule]
RECORDED = {rule["record"]: {"state", "ledger"} for rule in ALL if "record" in rule}


def promtool(*arguments: str, **how: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["promtool", *arguments], capture_output=True, check=False, cwd=FOLDER, **how
    )


def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES.name)
    assert checked.returncode == 0, checked.stderr.decode()


def test_each_alert_fires_when_it_should_and_only_then() -> None:
    tested = promtool("test", "rules", TESTS.name)
    assert tested.returncode == 0, (tested.stdout + tested.stderr).decode()


@pytest.mark.parametrize("alert", [rule["alert"] for rule in ALERTS])
def test_each_alert_has_a_test_that_sees_it_fire_and_not_fire(alert: str) -> None:
    tests = yaml.safe_load(TESTS.read_text())["tests"]
    seen = [
        [any(alert in each["labels"] for each in moment["exp_samples"]) for moment in test_moments]
        for test_moments in (test["promql_expr_test"] for test in tests)
    ]
    fires = [moments for moments in seen if any(moments)]
    assert fires, "never seen to fire"
    assert any(not all(moments) for moments in fires) or len(seen) > len(fires)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_each_alert_tells_a_person_what_it_is_and_where_to_read_on(rule: dict[str, Any]) -> None:
    notes = rule["annotations"]
    assert notes["summary"]
    assert notes["description"]
    page, _, anchor = notes["runbook_url"].partition("#")
    assert page.endswith("/deploy/prometheus/RUNBOOKS.md")
    headings = re.findall(r"^## (.+)$", (FOLDER / "RUNBOOKS.md").read_text(), re.MULTILINE)
    assert rule["alert"] in headings
    assert anchor == rule["alert"].lower()
    assert rule["labels"]["severity"] in ("critical", "warning", "info")


def test_there_is_no_runbook_of_an_alert_that_is_gone() -> None:
    headings = re.findall(r"^## (.+)$", (FOLDER / "RUNBOOKS.md").read_text(), re.MULTILINE)
    assert headings == [rule["alert"] for rule in ALERTS]


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.get("alert") or rule["record"])
def test_the_program_has_every_metric_and_label_of_a_rule(rule: dict[str, Any]) -> None:
    assert problems(rule["expr"], RECORDED) == []


@pytest.mark.parametrize(
    ("expression", "wrong"),
    [
        ("baseten_watchdog_api_upp == 0", ["no metric baseten_watchdog_api_upp"]),
        (
            'baseten_watchdog_target_state{status="x"}',
            ["baseten_watchdog_target_state has no label status"],
        ),
        ("sum by (model) (baseten_watchdog_paused)", ["no label model"]),
        ('rate(baseten_watchdog_check_lateness_seconds_bucket{le="1"}[5m])', []),
    ],
)
def test_what_the_program_does_not_have_is_found(expression: str, wrong: list[str]) -> None:
    assert problems(expression) == wrong


def test_a_live_daemons_metrics_and_a_real_alert(tmp_path: Path) -> None:
    with (
        demo(tmp_path) as live,
        alertmanager(tmp_path / "alertmanager") as alerts,
        prometheus(
            tmp_path / "prometheus", live.address, rules=[RULES], alertmanager_url=alerts
        ) as _,
    ):
        found = eventually(lambda: _alert(alerts, "BasetenWatchdogTargetExhausted"), "the alert")
        assert found["labels"]["model_id"] == "7hs2v0yb"
        assert found["labels"]["severity"] == "warning"
        assert found["annotations"]["summary"] == "Gave up on 7hs2v0yb sdxl-dev (team images)"
        with urllib.request.urlopen(f"http://{live.address}/metrics") as answer:
            exposition = answer.read()
        checked = promtool("check", "metrics", input=exposition)
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def _alert(alertmanager_url: str, name: str) -> dict[str, Any] | None:
    listed = get_json(f"{alertmanager_url}/api/v2/alerts") or []
    return next((each for each in listed if each["labels"]["alertname"] == name), None)
