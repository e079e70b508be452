"""The kinds of panels that the dashboards are made of."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
)

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")

Queries = Sequence[tuple[str, str]]
"""Expressions, each with what its series are called."""

STATES = {
    "healthy": "green",
    "in_progress": "blue",
    "waiting": "yellow",
    "recovering": "light-blue",
    "exhausted": "red",
    "stuck": "dark-red",
    "paused": "purple",
    "not_retryable": "text",
    "missing": "orange",
    "unknown": "dark-orange",
}
"""Each state of a target with its colour; a timeline shows its place in this list, from 1."""


@dataclass(frozen=True)
class Panel:
    """One panel: its size in columns of 24 and in rows, and what it asks."""

    title: str
    description: str
    queries: Queries
    width: int = 12
    height: int = 8
    unit: str = "short"

    def build(self) -> Builder[model.Panel]:
        raise NotImplementedError


class Number(Panel):
    """One number, with a colour once it is more than nothing."""

    def build(self) -> Builder[model.Panel]:
        colour = self.colours()
        panel = (
            stat.Panel()
            .color_mode(BigValueColorMode.BACKGROUND_SOLID)
            .graph_mode(BigValueGraphMode.NONE)
            .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
            .thresholds(build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(colour))
        )
        return _finished(panel, self)

    def colours(self) -> list[model.Threshold]:
        return [model.Threshold(value=None, color="text")]


class Good(Number):
    """The more the better."""

    def colours(self) -> list[model.Threshold]:
        return [*super().colours(), model.Threshold(value=1, color="green")]


class Busy(Number):
    """Worth a look."""

    def colours(self) -> list[model.Threshold]:
        return [*super().colours(), model.Threshold(value=1, color="yellow")]


class Bad(Number):
    """A person is needed."""

    def colours(self) -> list[model.Threshold]:
        return [*super().colours(), model.Threshold(value=1, color="red")]


class Lines(Panel):
    """How something went over time."""

    def build(self) -> Builder[model.Panel]:
        return _finished(_graph().fill_opacity(10), self)


class Bars(Panel):
    """How often something happened, stacked."""

    def build(self) -> Builder[model.Panel]:
        stacked = common.StackingConfig().mode(StackingMode.NORMAL)
        graph = _graph().draw_style(GraphDrawStyle.BARS).fill_opacity(80).stacking(stacked)
        return _finished(graph, self)


class States(Panel):
    """A row for each series, in the colours of states."""

    def build(self) -> Builder[model.Panel]:
        texts = {
            str(number): model.ValueMappingResult(text=state, color=colour, index=number)
            for number, (state, colour) in enumerate(STATES.items(), 1)
        }
        panel = statetimeline.Panel().mappings([model.ValueMap(options=texts)])
        return _finished(panel.row_height(0.8).fill_opacity(80), self)


class Switches(Panel):
    """A row for each series, coloured while it is on."""

    def build(self) -> Builder[model.Panel]:
        texts = {
            "0": model.ValueMappingResult(text=" ", color="transparent"),
            "1": model.ValueMappingResult(text="yes", color="orange"),
        }
        panel = statetimeline.Panel().mappings([model.ValueMap(options=texts)])
        return _finished(panel.row_height(0.8).fill_opacity(80), self)


def _graph() -> timeseries.Panel:
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST)
    legend = legend.placement(LegendPlacement.BOTTOM).show_legend(True)
    return timeseries.Panel().legend(legend).line_width(1)


def _finished(panel: Builder[model.Panel], asked: Panel) -> Builder[model.Panel]:
    panel.title(asked.title).description(asked.description).datasource(SOURCE)
    panel.unit(asked.unit).span(asked.width).height(asked.height)
    for number, (expression, legend) in enumerate(asked.queries):
        query = prometheus.Dataquery().expr(expression).legend_format(legend).range()
        panel.with_target(query.ref_id(chr(ord("A") + number)).datasource(SOURCE))
    return panel
