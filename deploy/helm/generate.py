"""Writes what is made of other files: the chart's copies of rules and dashboards, which Helm can
only read inside the chart, the schema of its values with the daemon's own in it, the table of the
values in its README, the version of the package where Helm and kubectl need it, and the rendered
manifests for those without Helm.

    make manifests
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import values
from helm_python import Chart

DEPLOY = Path(__file__).parents[1]
ROOT = DEPLOY.parent
CHART = DEPLOY / "helm/baseten-watchdog"
COPIED = ("prometheus/rules.yaml", "grafana/fleet.json", "grafana/model.json")

_ORDER = ("configmap", "pvc", "deployment")
VERSIONED = ("helm/baseten-watchdog/Chart.yaml", "kubernetes/kustomization.yaml")
_VERSION = re.compile(r"(?m)^(version: |appVersion: |.* newTag: )[^\s}]+")
_TABLE = "<!-- Made by `make manifests` from values.yaml. -->\n\n"
_TABLE_END = "\n<!-- The end. -->\n"
_HEAD = "# Made by `make manifests` from deploy/helm: change that.\n"


def schema() -> dict[str, Any]:
    """The schema of the chart's values, with that of the daemon's configuration in it."""
    config = json.loads((ROOT / "config/schema.json").read_text())
    definitions = config.pop("$defs")
    del config["$schema"]
    found = values.schema(CHART / "values.yaml")
    found["properties"]["config"] = config
    return {"$schema": "http://json-schema.org/draft-07/schema#", **found, "$defs": definitions}


def readme() -> str:
    """The chart's README with the table of its values."""
    text = (CHART / "README.md").read_text()
    before, _, after = text.partition(_TABLE)
    _, _, after = after.partition(_TABLE_END)
    return f"{before}{_TABLE}{values.table(CHART / 'values.yaml')}\n{_TABLE_END}{after}"


def generate(into: Path) -> None:
    """Write the files under a folder that is laid out like deploy/."""
    for name in COPIED:
        copy = into / "helm/baseten-watchdog/files" / Path(name).name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text((DEPLOY / name).read_text())
    (version,) = re.findall(r'__version__ = "(.+)"', (ROOT / "watchdog/__init__.py").read_text())
    (into / "kubernetes").mkdir(exist_ok=True)
    for name in VERSIONED:
        text = (DEPLOY / name).read_text()
        (into / name).write_text(_VERSION.sub(rf"\g<1>{version}", text))
    text = json.dumps(schema(), indent=2, ensure_ascii=False)
    (into / "helm/baseten-watchdog/values.schema.json").write_text(f"{text}\n")
    (into / "helm/baseten-watchdog/README.md").write_text(readme())
    with Chart.load(CHART) as chart:
        rendered = chart.render(name="baseten-watchdog", namespace="baseten-watchdog")
    parts = [rendered[f"baseten-watchdog/templates/{kind}.yaml"].strip() for kind in _ORDER]
    manifests = "\n---\n".join(parts).replace("managed-by: Helm", "managed-by: kubectl")
    (into / "kubernetes/manifests.yaml").write_text(f"{_HEAD}{manifests}\n")


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else DEPLOY)
