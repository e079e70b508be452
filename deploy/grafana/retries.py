"""The panel of retries, which both dashboards have."""

from grafana_foundation_sdk.builders import timeseries

from deploy.grafana import links, looks, queries
from deploy.grafana.panels import events, fixed


def attempts() -> timeseries.Panel:
    panel = events(
        "Retries by outcome",
        "What the API answered. Accepted is not recovered yet. Unknown: the answer was lost, and "
        "the retry is charged and never repeated.",
        ("{{outcome}}", queries.increase("retry_attempts_total", "outcome", models=True)),
    )
    for outcome, color in looks.OUTCOMES.items():
        panel.override_by_name(outcome, fixed(color))
    return panel.links([links.runbook("BasetenWatchdogOutcomeUnknown")])
