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
try:
    if asked["what"] == "lint":
        answer = lint(asked["chart"], asked["values"], strict=True)
    else:
        with Chart.load(asked["chart"]) as chart:
            chart.validate_schema(asked["values"])
            answer = chart.render(asked["values"], name="watch", namespace="monitoring")
except HelmError as error:
    answer = {"refused": str(error)}
json.dump(answer, sys.stdout)
"""


def run(tool: str, *arguments: str | Path, **how: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TOOLS / tool, *arguments], capture_output=True, text=True, check=False, **how
    )


def helm(what: str, chart: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Helm's own findings, or its own rendering: manifests by template."""
    asked = json.dumps({"what": what, "chart": str(chart), "values": values})
    done = run("python", "-c", _HELM, input=asked)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def checkov(path: Path, framework: str, reasons: dict[str, str]) -> list[str]:
    """Its findings, except those for which a reason is given here."""
    arguments = ["--framework", framework, "--compact", "--skip-download", "--output", "json"]
    done = run("checkov", "-f", path, *arguments)
    report = json.loads(done.stdout)
    results = report["results"] if isinstance(report, dict) else report[0]["results"]
    assert results["passed_checks"]
    return [
        f"{found['check_id']}: {found['check_name']}"
        for found in results["failed_checks"]
        if found["check_id"] not in reasons
    ]
