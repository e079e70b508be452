"""The committed dashboards, and what Grafana would ask Prometheus for them."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.deploy.servers import ROOT

FOLDER = ROOT / "deploy/grafana"
DASHBOARDS: dict[str, dict[str, Any]] = {
    path.name: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))
}

_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)\}")
_OR_ZERO = re.compile(r" or 0 \* count\(baseten_watchdog_build_info\{[^}]*\}\)$")
_FUNCTION = re.compile(r"(label_values|query_result)\((.*)\)")


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each panel that shows something, with its dashboard's file."""
    for name, dashboard in DASHBOARDS.items():
        yield from ((name, panel) for panel in dashboard["panels"] if panel["type"] != "row")


def variables() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each variable that is asked of Prometheus, with its dashboard's file."""
    for name, dashboard in DASHBOARDS.items():
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                yield name, variable


@dataclass(frozen=True)
class PanelQuery:
    dashboard: str
    panel: str
    expression: str
    instant: bool

    def __str__(self) -> str:
        return f"{self.dashboard} {self.panel}: {self.expression}"

    @property
    def measured(self) -> str:
        """Without the 0 that stands for none, which hides that a metric is not there."""
        return _OR_ZERO.sub("", self.expression)


def panel_queries() -> list[PanelQuery]:
    return [
        PanelQuery(name, panel["title"], target["expr"], target.get("instant", False))
        for name, panel in panels()
        for target in panel["targets"]
    ]


@dataclass(frozen=True)
class VariableQuery:
    """`label_values(selector, label)`, or `query_result(expression)` and a regular expression."""

    function: str
    expression: str
    label: str
    regex: str


def variable_query(variable: Mapping[str, Any]) -> VariableQuery:
    """As Grafana's Prometheus data source reads it."""
    found = _FUNCTION.fullmatch(variable["query"])
    assert found is not None, variable["query"]
    function, inner = found.groups()
    regex = variable.get("regex", "").strip("/").replace("(?<", "(?P<")
    if function == "query_result":
        return VariableQuery(function, inner, "", regex)
    selector, _, label = inner.rpartition(",")
    return VariableQuery(function, selector.strip(), label.strip(), regex)


def filled(text: str, values: Mapping[str, str]) -> str:
    """With the variables' values; an unknown variable is an error."""
    return _VARIABLE.sub(lambda found: values[found[1] or found[2]], text)
