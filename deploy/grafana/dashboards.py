"""The dashboards, as code. `make manifests` writes their JSON.

Only the active replica exports targets, and which one that is must not matter: all is summed or
taken at its largest over the instances.
"""

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model
from panels import SOURCE, STATES, Bad, Bars, Busy, Good, Lines, Panel, States, Switches

RUNBOOKS = (
    "https://github.com/baseten-watchdog/baseten-watchdog/blob/main/deploy/prometheus/RUNBOOKS.md"
)
FLEET_UID, MODEL_UID = "baseten-watchdog-fleet", "baseten-watchdog-model"

_OF_FLEET = 'cluster=~"$cluster",job=~"$job"'
_OF_MODEL = _OF_FLEET + ',model_id=~"$model"'


def _m(name: str, matchers: str = "", scope: str = _OF_FLEET) -> str:
    """A selector of one of our metrics."""
    return f"baseten_watchdog_{name}{{{scope}{',' if matchers else ''}{matchers}}}"


def _count(state: str) -> str:
    of_state = _m("target_state", f'state="{state}"')
    return f"sum({of_state}) or vector(0)"


def _states(scope: str) -> str:
    """Each model's state as its place in the list of states."""
    of = (_m("target_state", f'state="{state}"', scope) for state in STATES)
    each = " or ".join(f"{number} * ({one} == 1)" for number, one in enumerate(of, 1))
    named = f"on (job, instance, model_id) group_left (model_name) {_m('target_info', '', scope)}"
    return f"max by (model_id, model_name) (({each}) * {named})"


def _quantile(quantile: float, name: str, by: str = "", span: str = "$__rate_interval") -> str:
    labels = f"le, {by}" if by else "le"
    rate = f"sum by ({labels}) (rate({_m(name + '_bucket')}[{span}]))"
    return f"histogram_quantile({quantile}, {rate})"


FLEET: tuple[Panel, ...] = (
    Good("Healthy", "Models that do well now.", [(_count("healthy"), "")], 4, 4),
    Busy("Waiting", "Failing, and a retry is planned.", [(_count("waiting"), "")], 4, 4),
    Busy("Recovering", "A retry is under way.", [(_count("recovering"), "")], 4, 4),
    Bad("Exhausted", "Gave up: a person is needed.", [(_count("exhausted"), "")], 4, 4),
    Busy(
        "Paused",
        "A person said hands off.",
        [(f"sum(max by (model_id) ({_m('paused')})) or vector(0)", "")],
        4,
        4,
    ),
    Bad(
        "Breaker",
        "1 while many failing at once have stopped all retries but a canary's.",
        [(f"max({_m('breaker_open')})", "")],
        4,
        4,
    ),
    States(
        "What each model does", "", [(_states(_OF_FLEET), "{{model_name}} {{model_id}}")], 24, 10
    ),
    Switches(
        "Why it does not act",
        "Each failing model that is left alone now, with the reason. The README explains each.",
        [
            (
                f"max by (model_id, reason) ({_m('retry_suppressed')})",
                "{{model_id}}: {{reason}}",
            )
        ],
        24,
        8,
    ),
    Bars(
        "Attempts by outcome",
        "Retries, by what the API said to them.",
        [
            (
                f"sum by (outcome) (increase({_m('retry_attempts_total')}[$__rate_interval]))",
                "{{outcome}}",
            )
        ],
    ),
    Bars(
        "Reasons not to act, as they set in",
        "",
        [
            (
                f"sum by (reason) (increase({_m('retry_suppressed_total')}[$__rate_interval]))",
                "{{reason}}",
            )
        ],
    ),
    Lines(
        "Time to recover",
        "From the first failing look to the first healthy one, over six hours.",
        [
            (_quantile(0.5, "recovery_seconds", span="6h"), "half within"),
            (_quantile(0.9, "recovery_seconds", span="6h"), "nine of ten within"),
        ],
        unit="s",
    ),
    Lines(
        "What the fleet may still retry",
        "In this minute, in flight, and within 24 hours.",
        [(f"min by (scope) ({_m('fleet_retry_budget_remaining')})", "{{scope}}")],
    ),
    Lines(
        "What each model may still retry today",
        "Recovery does not clear this; time does, and `reset`.",
        [
            (
                "min by (model_id) ({})".format(_m("retry_budget_remaining", 'scope="window"')),
                "{{model_id}}",
            )
        ],
    ),
    Lines(
        "Pauses: time left",
        "Until nobody's hands are off any more.",
        [(f"max by (model_id) ({_m('pause_expiry_timestamp_seconds')}) - time()", "{{model_id}}")],
        unit="s",
    ),
    Lines(
        "API: requests a second",
        "",
        [
            (
                f"sum by (operation, code) (rate({_m('api_requests_total')}[$__rate_interval]))",
                "{{operation}} {{code}}",
            )
        ],
        unit="reqps",
    ),
    Lines(
        "API: share of errors",
        "Answers other than 2xx and 404, and no answer at all.",
        [
            (
                "sum(rate({}[$__rate_interval])) / sum(rate({}[$__rate_interval]))".format(
                    _m("api_requests_total", 'code!~"2..|404"'), _m("api_requests_total")
                )
                + " or vector(0)",
                "errors",
            )
        ],
        unit="percentunit",
    ),
    Lines(
        "API: latency",
        "",
        [
            (_quantile(0.5, "api_request_duration_seconds", "operation"), "{{operation}} median"),
            (_quantile(0.99, "api_request_duration_seconds", "operation"), "{{operation}} p99"),
        ],
        unit="s",
    ),
    Lines(
        "Lateness of checks",
        "How much later than due they began.",
        [
            (_quantile(0.5, "check_lateness_seconds"), "median"),
            (_quantile(0.99, "check_lateness_seconds"), "p99"),
        ],
        unit="s",
    ),
    Switches(
        "What is wrong",
        "",
        [
            (f"1 - max({_m('api_up')})", "API down"),
            (f"1 - max({_m('api_key_accepted')})", "key refused"),
            (f"1 - min({_m('ledger_up')})", "ledger away"),
            (f"1 - min({_m('config_last_reload_successful')})", "configuration refused"),
            ("max({}) or vector(0)".format(_m("mode_info", 'mode="observe"')), "observes only"),
        ],
        24,
        7,
    ),
)

MODEL: tuple[Panel, ...] = (
    States("State", "", [(_states(_OF_MODEL), "{{model_name}} {{model_id}}")], 24, 5),
    Switches(
        "Status of the deployment",
        "As the API names it.",
        [
            (
                f"max by (status) ({_m('deployment_status', '', _OF_MODEL)})",
                "{{status}}",
            )
        ],
        24,
        7,
    ),
    Switches(
        "Why it does not act",
        "While it fails and is left alone.",
        [(f"max by (reason) ({_m('retry_suppressed', '', _OF_MODEL)})", "{{reason}}")],
        24,
        6,
    ),
    Bars(
        "Attempts by outcome",
        "",
        [
            (
                "sum by (outcome) (increase({}[$__rate_interval]))".format(
                    _m("retry_attempts_total", "", _OF_MODEL)
                ),
                "{{outcome}}",
            )
        ],
    ),
    Lines(
        "What it may still retry",
        "In this episode, and in its window, which recovery does not clear.",
        [(f"min by (scope) ({_m('retry_budget_remaining', '', _OF_MODEL)})", "{{scope}}")],
    ),
    Lines(
        "Failing for",
        "",
        [
            (
                f"time() - min({_m('failing_since_timestamp_seconds', '', _OF_MODEL)})",
                "since it was first seen",
            )
        ],
        8,
        unit="s",
    ),
    Lines(
        "Next attempt in",
        "",
        [(f"min({_m('next_attempt_timestamp_seconds', '', _OF_MODEL)}) - time()", "next attempt")],
        8,
        unit="s",
    ),
    Lines(
        "Last seen",
        "How old the last look is.",
        [
            (
                f"time() - max({_m('last_observed_timestamp_seconds', '', _OF_MODEL)})",
                "last look",
            )
        ],
        8,
        unit="s",
    ),
)


def _variable(name: str, label: str, query: str, *, every: bool) -> build.QueryVariable:
    variable = (
        build.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(query)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
    )
    if not every:
        return variable
    # `.*` also matches where there is no such label.
    everything = model.VariableOption(text="All", value="$__all", selected=True)
    return variable.include_all(True).all_value(".*").multi(True).current(everything)


def _dashboard(title: str, uid: str, panels: tuple[Panel, ...]) -> build.Dashboard:
    other = FLEET_UID if uid == MODEL_UID else MODEL_UID
    made = (
        build.Dashboard(title)
        .uid(uid)
        .tags(["baseten-watchdog"])
        .refresh("30s")
        .time("now-24h", "now")
        .timezone("browser")
        .with_variable(
            build.DatasourceVariable("datasource").label("Data source").type("prometheus")
        )
        .with_variable(
            _variable(
                "cluster",
                "Cluster",
                "label_values(baseten_watchdog_build_info, cluster)",
                every=True,
            )
        )
        .with_variable(
            _variable(
                "job",
                "Job",
                'label_values(baseten_watchdog_build_info{cluster=~"$cluster"}, job)',
                every=True,
            )
        )
        .link(_link("Runbooks", RUNBOOKS))
        .link(_link("Model" if uid == FLEET_UID else "Fleet", f"/d/{other}?${{__url_time_range}}"))
    )
    if uid == MODEL_UID:
        query = f"label_values({_m('target_info')}, model_id)"
        made = made.with_variable(_variable("model", "Model", query, every=False))
    for panel in panels:
        made = made.with_panel(panel.build())
    return made


def _link(title: str, url: str) -> build.DashboardLink:
    link = build.DashboardLink(title).type(model.DashboardLinkType.LINK).url(url)
    return link.target_blank(False).keep_time(True)


def write(into: Path) -> None:
    """Write the dashboards' JSON into a folder."""
    for name, uid, panels in (("fleet", FLEET_UID, FLEET), ("model", MODEL_UID, MODEL)):
        made = _dashboard(f"baseten-watchdog: {name}", uid, panels).build()
        plain = json.loads(json.dumps(made, cls=JSONEncoder))
        for variable in plain["templating"]["list"]:
            for auto in ("auto", "auto_count", "auto_min"):
                variable.pop(auto, None)  # Grafana's schema has these for intervals alone.
        text = json.dumps(plain, indent=2, sort_keys=True)
        (into / f"{name}.json").write_text(f"{text}\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
