"""The panels of why models failed."""

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from deploy.grafana import looks, queries
from deploy.grafana.panels import events, fixed


def row(board: Dashboard) -> None:
    board.with_row(Row("Causes"))
    board.with_panel(
        _by_cause(
            "Failures by cause",
            "What the log and the start-ups of each failure were taken for. Shades of red: only a "
            "person can remove the cause. Unknown: they say nothing, or were not read.",
            queries.increase("failures_total", "cause"),
        )
    )
    board.with_panel(
        _by_cause(
            "Retries spent by cause",
            "Charged retries, by the cause that was known when they were sent. At most one in an "
            "episode is spent on a cause that policy.causes retries once.",
            queries.increase("retries_by_cause_total", "cause"),
        )
    )
    board.with_panel(
        _by_cause(
            "Recovered by cause",
            "Episodes that ended healthy after a retry, by the last cause that was found.",
            queries.increase("episodes_total", "cause", result="recovered"),
        )
    )


def _by_cause(title: str, description: str, expression: str) -> timeseries.Panel:
    panel = events(title, description, ("{{cause}}", expression), width=8)
    for cause, color in looks.CAUSES.items():
        panel.override_by_name(cause, fixed(color))
    return panel
