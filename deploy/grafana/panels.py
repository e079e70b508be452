"""The kinds of panels, each with what all of its kind have in common."""

from typing import TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphDrawStyle,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

DATA_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")

EVENTS_INTERVAL = "5m"
"""The narrowest bar of events. $__rate_interval is at least four scrapes: a narrower bar would
count an event twice where Prometheus scrapes once a minute."""

Query = tuple[str, str]
"""A legend and an expression."""

Panel = TypeVar(
    "Panel", stat.Panel, statetimeline.Panel, timeseries.Panel, table.Panel, bargauge.Panel
)


def _begin(panel: Panel, title: str, description: str, width: int, height: int) -> Panel:
    panel.title(title).description(description)
    return panel.datasource(DATA_SOURCE).span(width).height(height)


def _query(legend: str, expression: str, number: int) -> prometheus.Dataquery:
    return (
        prometheus.Dataquery()
        .datasource(DATA_SOURCE)
        .expr(expression)
        .legend_format(legend)
        .ref_id(chr(ord("A") + number))
    )


def _over_time(panel: Panel, queries: tuple[Query, ...]) -> Panel:
    for number, (legend, expression) in enumerate(queries):
        panel.with_target(_query(legend, expression, number).range())
    return panel


def _now(panel: Panel, queries: tuple[Query, ...]) -> Panel:
    for number, (legend, expression) in enumerate(queries):
        panel.with_target(_query(legend, expression, number).instant())
    return panel


def steps(first: str, *more: tuple[float, str]) -> ThresholdsConfig:
    """A colour, and others from a value on."""
    found = [Threshold(value=None, color=first)]
    found += [Threshold(value=value, color=color) for value, color in more]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(found)


def fixed(color: str) -> list[DynamicConfigValue]:
    value = {"mode": FieldColorModeId.FIXED, "fixedColor": color}
    return [DynamicConfigValue(id_val="color", value=value)]


def number(
    title: str, description: str, *queries: Query, width: int = 3, height: int = 4
) -> stat.Panel:
    """The value now, large."""
    panel = _begin(stat.Panel(), title, description, width, height)
    return (
        _now(panel, queries)
        .color_mode(BigValueColorMode.BACKGROUND)
        .graph_mode(BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .no_value("none")
    )


def bars_now(title: str, description: str, *queries: Query, width: int = 12) -> bargauge.Panel:
    """Values now, side by side."""
    panel = _begin(bargauge.Panel(), title, description, width, 8)
    return (
        _now(panel, queries)
        .orientation(VizOrientation.HORIZONTAL)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .decimals(0)
        .min(0)
    )


def timeline(
    title: str, description: str, *queries: Query, width: int = 24, height: int = 8
) -> statetimeline.Panel:
    """A row for each series, coloured by its value."""
    panel = _begin(statetimeline.Panel(), title, description, width, height)
    legend = common.VizLegendOptions().show_legend(False)
    return (
        _over_time(panel, queries)
        .legend(legend.display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM))
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.SINGLE))
        .show_value(VisibilityMode.AUTO)
        .merge_values(True)
        .row_height(0.85)
        .fill_opacity(85)
        .line_width(0)
    )


def graph(title: str, description: str, *queries: Query, width: int = 12) -> timeseries.Panel:
    """Lines over time."""
    panel = _begin(timeseries.Panel(), title, description, width, 8)
    legend = common.VizLegendOptions().show_legend(True)
    tooltip = common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI)
    return (
        _over_time(panel, queries)
        .legend(legend.display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM))
        .tooltip(tooltip.sort(SortOrder.DESCENDING))
        .axis_soft_min(0)
        .fill_opacity(10)
    )


def events(title: str, description: str, *queries: Query, width: int = 12) -> timeseries.Panel:
    """How often things happened: stacked bars."""
    return (
        graph(title, description, *queries, width=width)
        .interval(EVENTS_INTERVAL)
        .draw_style(GraphDrawStyle.BARS)
        .stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
        .fill_opacity(80)
        .decimals(0)
    )


def line_at(panel: timeseries.Panel, value: float, color: str) -> timeseries.Panel:
    """Draw where it becomes bad."""
    style = common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.LINE)
    return panel.thresholds(steps("transparent", (value, color))).thresholds_style(style)


def rows(
    title: str, description: str, *queries: str, width: int = 24, height: int = 8
) -> table.Panel:
    """A table of what the queries give now; rows with the same labels are merged."""
    panel = _begin(table.Panel(), title, description, width, height)
    for number_, expression in enumerate(queries):
        query = _query("", expression, number_).instant().format(PromQueryFormat.TABLE)
        panel.with_target(query)
    return panel.no_value("none").show_header(True)
