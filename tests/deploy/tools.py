"""The tools that read what is in deploy/, from an environment of their own: `make deploy-check`."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.deploy.servers import ROOT

TOOLS = ROOT / ".venv-deploy/bin"

_HELM = """
import json, sys
from helm_python import Chart, HelmError, lint
asked = json.load(sys.stdin)
def answered(values):
    try:
        if asked["what"] == "lint":
            return lint(asked["chart"], values, strict=True)
        with Chart.load(asked["chart"]) as chart:
            chart.validate_schema(values)
            return chart.render(values, name=asked["name"], namespace="monitoring")
    except HelmError as error:
        return {"refused": str(error)}
json.dump([answered(values) for values in asked["values"]], sys.stdout)
"""


def run(tool: str, *arguments: str | Path, **how: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TOOLS / tool, *arguments], capture_output=True, text=True, check=False, **how
    )


def helm(what: str, chart: Path, values: dict[str, Any], name: str = "watch") -> dict[str, Any]:
    """Helm's own findings, or its own rendering of a release: manifests by template."""
    return _helm(what, chart, [values], name)[0]


def renderings(chart: Path, each: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The renderings with several values, by one process."""
    return _helm("render", chart, each, "watch")


def _helm(what: str, chart: Path, each: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    asked = json.dumps({"what": what, "chart": str(chart), "values": each, "name": name})
    done = run("python", "-c", _HELM, input=asked)
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def checkov(framework: str, reasons: dict[str, str], *paths: Path) -> list[str]:
    """Its findings, except those for which a reason is given here."""
    arguments = ["--framework", framework, "--compact", "--skip-download", "--output", "json"]
    arguments += [part for path in paths for part in ("-f", str(path))]
    done = run("checkov", *arguments)
    report = json.loads(done.stdout)
    results = report["results"] if isinstance(report, dict) else report[0]["results"]
    assert {Path(each["file_path"]).name for each in results["passed_checks"]} == {
        path.name for path in paths
    }
    return [
        f"{found['check_id']}: {found['check_name']}"
        for found in results["failed_checks"]
        if found["check_id"] not in reasons
    ]
