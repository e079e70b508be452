"""Writes what is made of other files: the chart's copies of rules and dashboards, which Helm can
only read inside the chart, and the rendered manifests for those without Helm.

    make manifests
"""

import sys
from pathlib import Path

from helm_python import Chart

DEPLOY = Path(__file__).parents[1]
CHART = DEPLOY / "helm/baseten-watchdog"
COPIED = ("prometheus/rules.yaml", "grafana/fleet.json", "grafana/model.json")

_ORDER = ("configmap", "pvc", "deployment")
_HEAD = "# Made by `make manifests` from deploy/helm: change that.\n"


def generate(into: Path) -> None:
    """Write the files under a folder that is laid out like deploy/."""
    for name in COPIED:
        copy = into / "helm/baseten-watchdog/files" / Path(name).name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text((DEPLOY / name).read_text())
    with Chart.load(CHART) as chart:
        rendered = chart.render(name="baseten-watchdog", namespace="baseten-watchdog")
    parts = [rendered[f"baseten-watchdog/templates/{kind}.yaml"].strip() for kind in _ORDER]
    manifests = "\n---\n".join(parts).replace("managed-by: Helm", "managed-by: kubectl")
    (into / "kubernetes").mkdir(exist_ok=True)
    (into / "kubernetes/manifests.yaml").write_text(f"{_HEAD}{manifests}\n")


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else DEPLOY)
