"""The tables of models: those that fail, and those that a person paused."""

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue

from deploy.grafana import links, looks
from deploy.grafana.panels import rows, steps
from deploy.grafana.queries import each_model, failing_only, of_models


def failing() -> table.Panel:
    """What to read first at night."""
    panel = rows(
        "Failing models: why it does not act, and what is next",
        "Each model that fails now. With no next retry and no retries left, it needs a person.",
        each_model(
            failing_only(of_models("target_state")), "state", info=("model_name", "deployment_id")
        ),
        each_model(of_models("retry_suppressed"), "reason"),
        each_model(f"1000 * {of_models('failing_since_timestamp_seconds')}"),
        each_model(failing_only(f"1000 * {of_models('next_attempt_timestamp_seconds')}")),
        each_model(failing_only(of_models("retry_budget_remaining", scope="episode"))),
        each_model(failing_only(of_models("retry_budget_remaining", scope="window"))),
    )
    hidden = ("Time", "Value #A", "Value #B", "cluster", "namespace", "job")
    order = ["model_name", "model_id", "state", "reason"]
    order += ["Value #C", "Value #D", "Value #E", "Value #F", "deployment_id"]
    names = {
        "model_name": "Model",
        "state": "State",
        "reason": "Why it does not act",
        "Value #C": "Failing since",
        "Value #D": "Next retry",
        "Value #E": "Left in episode",
        "Value #F": "Left in window",
        "deployment_id": "Logs of",
    }
    organized = {
        "excludeByName": dict.fromkeys(hidden, True),
        "indexByName": {name: index for index, name in enumerate(order)},
        "renameByName": names,
    }
    panel.with_transformation(DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(DataTransformerConfig(id_val="organize", options=organized))
    for name in ("Failing since", "Next retry"):
        panel.override_by_name(name, [DynamicConfigValue("unit", "dateTimeFromNow")])
    for name, shown in (("State", looks.STATES), ("Why it does not act", looks.REASONS)):
        panel.override_by_name(
            name,
            [
                DynamicConfigValue("mappings", looks.mapping(shown.items())),
                DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
            ],
        )
    for name in ("Left in episode", "Left in window"):
        panel.override_by_name(
            name,
            [
                DynamicConfigValue("thresholds", steps("red", (1, "text")).build()),
                DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
            ],
        )
    for name in ("Model", "model_id"):
        panel.override_by_name(name, [DynamicConfigValue("links", [links.model_of_row()])])
    panel.override_by_name("Logs of", [DynamicConfigValue("links", [links.logs_of_row()])])
    return panel


def pauses() -> table.Panel:
    panel = rows(
        "Paused models",
        "Paused by an operator. `resume` ends it before its time.",
        each_model(f"1000 * {of_models('pause_expiry_timestamp_seconds')}"),
        width=6,
    )
    organized = {
        "excludeByName": dict.fromkeys(("Time", "cluster", "namespace", "job"), True),
        "indexByName": {},
        "renameByName": {"model_name": "Model", "Value": "Until"},
    }
    panel.with_transformation(DataTransformerConfig(id_val="organize", options=organized))
    panel.override_by_name("Until", [DynamicConfigValue("unit", "dateTimeFromNow")])
    return panel.links([links.runbook("BasetenWatchdogPausedTooLong")])
