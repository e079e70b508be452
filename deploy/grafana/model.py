"""The dashboard of one model: its whole life, and what is done for it."""

from collections.abc import Mapping
from typing import Any

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.builders.dashboard import Dashboard, Row
from grafana_foundation_sdk.models.common import BigValueColorMode, BigValueTextMode
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync

from deploy.grafana import links, looks, queries, variables
from deploy.grafana.looks import Look
from deploy.grafana.panels import fixed, graph, number, steps, timeline
from deploy.grafana.queries import of_models
from deploy.grafana.retries import attempts

_BUDGET = "retry_budget_remaining"


def dashboard() -> Dashboard:
    board = (
        Dashboard("Baseten watchdog: model")
        .uid(links.MODEL)
        .description("One model: how it does, what was tried, and why not more.")
        .tags(["baseten-watchdog"])
        .timezone("browser")
        .time("now-24h", "now")
        .refresh("30s")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(links.dashboard("All models", links.FLEET))
        .link(links.runbooks())
        .link(links.chosen_model())
        .with_variable(variables.data_source())
        .with_variable(variables.cluster())
        .with_variable(variables.namespace())
        .with_variable(variables.job())
        .with_variable(variables.model())
    )
    for part in (_now, _life, _retries):
        part(board)
    return board


def _now(board: Dashboard) -> None:
    board.with_row(Row("Now"))
    status = number(
        "Status at Baseten",
        "As of the last check.",
        ("{{status}}", f"max by (status) ({of_models('deployment_status')})"),
        width=4,
    )
    for panel in (
        _word("State", "What the watchdog does about it.", "target_state", "state", looks.STATES),
        _word(
            "Why it does not act",
            "Only while it fails and is not being retried.",
            "retry_suppressed",
            "reason",
            looks.REASONS,
            width=8,
        ),
        status.text_mode(BigValueTextMode.NAME).thresholds(steps("blue")),
        number(
            "Last seen",
            "How long ago a check last saw its status. All is well at about the checks' interval.",
            ("", f"time() - max({of_models('last_observed_timestamp_seconds')})"),
            width=4,
        )
        .unit("s")
        .decimals(0)
        .thresholds(steps("green", (300, "orange"), (900, "red"))),
        number(
            "Left in episode",
            "Retries of this failure that are left.",
            ("", f"min({of_models(_BUDGET, scope='episode')})"),
            width=2,
        ).thresholds(steps("red", (1, "green"))),
        number(
            "Left in window",
            "Retries that its window still allows. Recovery does not clear it.",
            ("", f"min({of_models(_BUDGET, scope='window')})"),
            width=2,
        )
        .thresholds(steps("red", (1, "green")))
        .links([links.runbook("BasetenWatchdogWindowBudgetSpent")]),
        _moment("Failing since", "When it was first seen to fail.", "failing_since"),
        _moment("Next retry", "When it is due at the earliest.", "next_attempt"),
        _moment("Paused until", "Paused by an operator. `resume` ends it.", "pause_expiry"),
    ):
        board.with_panel(panel)


def _word(
    title: str, description: str, name: str, label: str, shown: Mapping[Any, Look], width: int = 4
) -> stat.Panel:
    """One word, in the colour of its meaning."""
    panel = number(
        title, description, ("", f"max({queries.numbers(name, label, shown)})"), width=width
    )
    return panel.mappings(looks.numbered(shown.values())).thresholds(steps("green"))


def _moment(title: str, description: str, name: str) -> stat.Panel:
    expression = f"1000 * max({of_models(f'{name}_timestamp_seconds')})"
    panel = number(title, description, ("", expression), width=8).unit("dateTimeFromNow")
    return panel.color_mode(BigValueColorMode.NONE).thresholds(steps("text"))


def _life(board: Dashboard) -> None:
    states, reasons = looks.STATES, looks.REASONS
    board.with_row(Row("Its life"))
    for panel in (
        timeline(
            "What the watchdog does about it",
            "Exhausted: it gave up, and a person must fix the cause.",
            ("state", f"max({queries.numbers('target_state', 'state', states)})"),
            height=4,
        )
        .mappings(looks.numbered(states.values()))
        .links(
            [
                links.runbook("BasetenWatchdogTargetExhausted"),
                links.runbook("BasetenWatchdogTargetStuck"),
            ]
        ),
        timeline(
            "Why it does not act",
            "Only while it fails and is not being retried. Red: a person is needed.",
            ("why", f"max({queries.numbers('retry_suppressed', 'reason', reasons)})"),
            height=4,
        )
        .mappings(looks.numbered(reasons.values()))
        .no_value("nothing was held back"),
        timeline(
            "Status at Baseten",
            "A row for each status that it had.",
            ("{{status}}", f"max by (status) ({of_models('deployment_status')})"),
            height=7,
        )
        .mappings(looks.mapping({"1": Look(" ", looks.LIGHT_BLUE)}.items()))
        .override_by_regexp(".*FAILED", fixed("red"))
        .override_by_name("ACTIVE", fixed("green")),
    ):
        board.with_panel(panel)


def _retries(board: Dashboard) -> None:
    board.with_row(Row("Retries"))
    board.with_panel(attempts())
    board.with_panel(
        graph(
            "Retries left",
            "Of this failure, and of its window, which recovery does not clear.",
            ("{{scope}}", f"min by (scope) ({of_models(_BUDGET)})"),
        )
        .decimals(0)
        .links([links.runbook("BasetenWatchdogWindowBudgetSpent")])
    )
