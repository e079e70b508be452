"""The fleet's row about the API and the checks."""

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from deploy.grafana import links, queries
from deploy.grafana.panels import fixed, graph, line_at
from deploy.grafana.queries import own


def row(board: Dashboard) -> None:
    board.with_row(Row("The API, and whether checks keep up"))
    requests = own("api_requests_total")
    wrong = own("api_requests_total", 'code!~"2.."')
    late = "check_lateness_seconds"
    for panel in (
        graph(
            "Requests to the API",
            "By operation. The API allows 100 a second for each key.",
            ("{{operation}}", f"sum by (operation) (rate({requests}[$__rate_interval]))"),
            width=8,
        ).unit("reqps"),
        graph(
            "Requests that went wrong",
            "By operation and code; timeout, connect and invalid_body had no usable answer.",
            (
                "{{operation}} {{code}}",
                f"sum by (operation, code) (rate({wrong}[$__rate_interval]))",
            ),
            width=8,
        )
        .unit("reqps")
        .no_value("none")
        .links([links.runbook("BasetenWatchdogApiDown")]),
        graph(
            "How long the API takes",
            "By operation, the slowest request in a hundred, and the median.",
            (
                "{{operation}} p99",
                queries.quantile(0.99, "api_request_duration_seconds", "operation"),
            ),
            (
                "{{operation}} p50",
                queries.quantile(0.5, "api_request_duration_seconds", "operation"),
            ),
            width=8,
        ).unit("s"),
        _lateness(late),
        graph(
            "Checks by what they saw",
            "An error is no observation: nothing is ever retried on it.",
            ("{{result}}", f"sum by (result) (rate({own('checks_total')}[$__rate_interval]))"),
        )
        .unit("cps")
        .override_by_name("error", fixed("red"))
        .override_by_name("failing", fixed("yellow"))
        .override_by_name("healthy", fixed("green")),
    ):
        board.with_panel(panel)


def _lateness(name: str) -> timeseries.Panel:
    return (
        line_at(
            graph(
                "How late checks begin",
                "After they were due, by the daemon that is latest. Above the line is an alert.",
                ("p90", queries.worst_quantile(0.9, name)),
                ("p50", queries.worst_quantile(0.5, name)),
            ),
            60,
            "red",
        )
        .unit("s")
        .links([links.runbook("BasetenWatchdogChecksLate")])
    )
