"""The dashboard of all models: is anything wrong, why, and what happens next."""

from grafana_foundation_sdk.builders import stat, statetimeline
from grafana_foundation_sdk.builders.dashboard import Dashboard, Row, ThresholdsConfig
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync

from deploy.grafana import causes, fleet_api, links, looks, queries, tables, variables
from deploy.grafana.panels import (
    bars_now,
    events,
    graph,
    number,
    steps,
    timeline,
)
from deploy.grafana.queries import each_model, of_models, own
from deploy.grafana.retries import attempts

_MODEL = "{{model_name}} {{model_id}}"


def dashboard() -> Dashboard:
    board = (
        Dashboard("Baseten watchdog: fleet")
        .uid(links.FLEET)
        .description("Which models fail, what is done about it, and why not more.")
        .tags(["baseten-watchdog"])
        .timezone("browser")
        .time("now-6h", "now")
        .refresh("30s")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(links.dashboard("One model", links.MODEL))
        .link(links.runbooks())
        .with_variable(variables.data_source())
        .with_variable(variables.cluster())
        .with_variable(variables.namespace())
        .with_variable(variables.job())
        .with_variable(variables.models())
    )
    for part in (_now, _models, _retries, causes.row, _limits, fleet_api.row):
        part(board)
    return board


def _now(board: Dashboard) -> None:
    board.with_row(Row("Now"))
    for panel in (
        _count("healthy", "Healthy", "They run, or sleep scaled to zero.", steps("green"), width=2),
        _count(
            "waiting",
            "Failing, waits",
            "They fail, and the next retry is not due yet or held back: the table says why.",
            steps("green", (1, "yellow")),
        ),
        _count(
            "recovering",
            "Recovering",
            "A retry is being sent or was sent, and its result is not known yet.",
            steps("green", (1, "blue")),
            width=2,
        ),
        _count(
            "exhausted",
            "Exhausted",
            "It gave up on them: a person must fix the cause.",
            steps("green", (1, "red")),
        ).links([links.runbook("BasetenWatchdogTargetExhausted")]),
        _count(
            "stuck",
            "Stuck",
            "On their way for too long, and nothing came of it.",
            steps("green", (1, "orange")),
        ).links([links.runbook("BasetenWatchdogTargetStuck")]),
        _count(
            "broken|missing",
            "Broken",
            "They do not work, are not retried, and nobody stopped them: a person is needed.",
            steps("green", (1, "red")),
        ).links([links.runbook("BasetenWatchdogTargetBroken")]),
        _count(
            "paused", "Paused", "Paused by an operator.", steps("green", (1, "purple")), width=2
        ).links([links.runbook("BasetenWatchdogPausedTooLong")]),
        number(
            "Replicas up",
            "Daemons that can be scraped. Of the replicas of a release one is active, and it alone "
            "shows models.",
            ("", f"count({own('build_info')})"),
        )
        .thresholds(steps("red", (1, "green")))
        .links([links.runbook("BasetenWatchdogDown")]),
        number(
            "Last sweep",
            "How long ago due checks were last claimed, by the active daemon that is furthest "
            "behind. It should be each second.",
            ("", f"time() - min({queries.of_active(own('last_sweep_timestamp_seconds'))})"),
        )
        .unit("s")
        .decimals(0)
        .thresholds(steps("green", (60, "red")))
        .links([links.runbook("BasetenWatchdogLoopStalled")]),
        tables.failing(),
        _trouble(),
    ):
        board.with_panel(panel)


def _count(
    state: str, title: str, description: str, colors: ThresholdsConfig, *, width: int = 3
) -> stat.Panel:
    panel = number(title, description, ("", queries.in_state(state)), width=width)
    return panel.thresholds(colors).decimals(0)


def _trouble() -> statetimeline.Panel:
    found = tuple(queries.TROUBLE.items())
    return (
        timeline(
            "What holds everything back",
            "Red: nothing is retried, or not as the file says. While the breaker is open, one "
            "canary at a time is. The runbooks say what to do.",
            *found,
            height=9,
        )
        .mappings(
            looks.mapping({"0": looks.Look("ok", "green"), "1": looks.Look("YES", "red")}.items())
        )
        .links([links.runbook(f"BasetenWatchdog{name}") for name in _TROUBLE_RUNBOOKS])
    )


_TROUBLE_RUNBOOKS = (
    "Down",
    "NoActiveReplica",
    "BreakerOpen",
    "ApiDown",
    "AuthFailing",
    "RetriesForbidden",
    "LedgerDown",
    "ConfigReloadFailed",
    "ObserveMode",
)


def _models(board: Dashboard) -> None:
    states, reasons = tuple(looks.STATES), tuple(looks.REASONS)
    board.with_row(Row("Models over time"))
    board.with_panel(
        timeline(
            "What each model is doing",
            "Click a row for the whole life of the model.",
            (_MODEL, each_model(queries.numbers("target_state", "state", states))),
        )
        .mappings(looks.numbered(looks.STATES.values()))
        .data_links([links.model_of_series()])
    )
    board.with_panel(
        timeline(
            "Why it does not act",
            "Only while a model fails and is not being retried. Red: a person is needed.",
            (_MODEL, each_model(queries.numbers("retry_suppressed", "reason", reasons))),
        )
        .mappings(looks.numbered(looks.REASONS.values()))
        .data_links([links.model_of_series()])
        .no_value("nothing was held back")
    )


def _retries(board: Dashboard) -> None:
    board.with_row(Row("Retries"))
    board.with_panel(attempts())
    board.with_panel(
        bars_now(
            "What held retries back, in this time range",
            "How often each reason set in, over all models.",
            (
                "{{reason}}",
                queries.increase("retry_suppressions_total", "reason", window="$__range") + " > 0",
            ),
        ).thresholds(steps("yellow"))
    )
    for panel in (
        _recovery(),
        bars_now(
            "Failures that ended, in this time range",
            "Recovered: it is healthy again. Superseded, replaced: a person acted. Removed: the "
            "model is missing, or is not watched any more.",
            ("{{result}}", queries.increase("episodes_total", "result", window="$__range")),
            width=8,
        ).thresholds(steps("blue")),
        events(
            "What operators did",
            "Commands: pause, resume, reset, retry. `history` says who, and why.",
            ("{{action}}", queries.increase("operator_actions_total", "action")),
            width=8,
        ),
    ):
        board.with_panel(panel)


def _recovery() -> stat.Panel:
    def within(share: float) -> str:
        # Without a recovery it is not a number, which the comparison drops.
        return queries.quantile(share, "recovery_seconds", window="$__range") + " >= 0"

    return (
        number(
            "Time to recover, in this time range",
            "From the first sight of a failure to the first sight of health.",
            ("half within", within(0.5)),
            ("90 % within", within(0.9)),
            width=8,
            height=8,
        )
        .unit("s")
        .thresholds(steps("green", (3600, "yellow"), (4 * 3600, "orange")))
    )


def _limits(board: Dashboard) -> None:
    board.with_row(Row("Limits and pauses"))
    budget = own("fleet_retry_budget_remaining")
    board.with_panel(
        graph(
            "Retries left for the fleet",
            "In this minute, under way at once, and in 24 hours. At 0 no model is retried.",
            ("{{scope}}", f"min by (scope) ({budget})"),
        )
        .decimals(0)
        .links([links.runbook("BasetenWatchdogFleetBudgetSpent")])
    )
    left = each_model(of_models("retry_budget_remaining", scope="window"))
    board.with_panel(
        bars_now(
            "Models with the fewest retries left in their window",
            "Recovery does not clear it: a model at 0 is left alone until old retries leave it.",
            (_MODEL, f"bottomk(10, {left})"),
            width=6,
        )
        .thresholds(steps("red", (1, "yellow"), (3, "green")))
        .links([links.runbook("BasetenWatchdogWindowBudgetSpent")])
    )
    board.with_panel(tables.pauses())
