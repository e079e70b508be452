"""PromQL. Every query counts a model once, whichever replica exports it.

Prometheus need not have the labels `cluster` and `namespace`: an absent label is an empty one,
which groups, joins and the variable's All accept. What is wrong with one of the chosen releases is
never hidden by another one that is well.
"""

from collections.abc import Iterable, Sequence

SCOPE = 'cluster=~"$cluster", namespace=~"$namespace", job=~"$job"'
_DAEMON = "cluster, namespace, job, instance"
_OR_ZERO = " or 0 * count({scraped})"


def own(name: str, *matchers: str, **labels: str) -> str:
    """A metric of the daemon itself."""
    matchers += tuple(f'{label}="{value}"' for label, value in labels.items())
    return f"baseten_watchdog_{name}{{{', '.join((SCOPE, *matchers))}}}"


def of_models(name: str, **labels: str) -> str:
    """A metric of the chosen models."""
    return own(name, 'model_id=~"$model"', **labels)


def each_model(expression: str, *more: str, info: Sequence[str] = ("model_name",)) -> str:
    """One series for each model, and for each value of the labels in `more`, with the labels of
    `target_info` in `info`."""
    labels = ", ".join(("cluster", "namespace", "job", "model_id", *info, *more))
    return (
        f"max by ({labels}) (({expression}) * on ({_DAEMON}, model_id) "
        f"group_left ({', '.join(info)}) {of_models('target_info')})"
    )


def numbers(name: str, label: str, values: Iterable[str]) -> str:
    """Which value the label has now, as a number from 1."""
    return " or ".join(
        f"{number} * {of_models(name, **{label: value})}"
        for number, value in enumerate(values, start=1)
    )


def failing_only(expression: str) -> str:
    failing = of_models("failing_since_timestamp_seconds")
    return f"{expression} and on ({_DAEMON}, model_id) {failing}"


def or_zero(expression: str) -> str:
    """0 if there is none; nothing if no daemon is scraped, because then the number is not known."""
    return expression + _OR_ZERO.format(scraped=own("build_info"))


def in_state(state: str) -> str:
    """How many models are in it; several states are written as `one|another`."""
    models = own("target_state", 'model_id=~"$model"', f'state=~"{state}"')
    return or_zero(f"count(max by (cluster, namespace, job, model_id) ({models}))")


def increase(
    name: str,
    by: str,
    *,
    models: bool = False,
    window: str = "$__rate_interval",
    **labels: str,
) -> str:
    """How many events, as whole numbers: Prometheus extrapolates, and half a retry confuses."""
    metric = of_models(name, **labels) if models else own(name, **labels)
    return f"round(sum by ({by}) (increase({metric}[{window}])))"


def quantile(of: float, name: str, *by: str, window: str = "$__rate_interval") -> str:
    labels = ", ".join((*by, "le"))
    rate = f"rate({own(f'{name}_bucket')}[{window}])"
    return f"histogram_quantile({of}, sum by ({labels}) ({rate}))"


def of_active(expression: str) -> str:
    """Without replicas that stand by: what they know dates from when they were active."""
    return f"{expression} unless on ({_DAEMON}) {own('active')} == 0"


def worst_quantile(of: float, name: str) -> str:
    """Of the daemon where it is highest."""
    rate = f"rate({own(f'{name}_bucket')}[$__rate_interval])"
    return f"max(histogram_quantile({of}, sum by ({_DAEMON}, le) ({rate})))"


def _lost() -> str:
    seen = f"last_over_time({own('build_info')}[1d])"
    return f"max(up{{{SCOPE}}} == bool 0 and on ({_DAEMON}) {seen})"


def _without_active() -> str:
    """The replicas of a release share a ledger, and two releases do not."""
    ledgers = f"max by ({_DAEMON}) ({own('ledger_created_timestamp_seconds')})"
    labelled = f'count by ({_DAEMON}, ledger) (count_values by ({_DAEMON}) ("ledger", {ledgers}))'
    active = f"{own('active')} * on ({_DAEMON}) group_left (ledger) {labelled}"
    return f"1 - min(max by (cluster, namespace, job, ledger) ({active}))"


# 1 is trouble, of any of the daemons or releases that are chosen.
TROUBLE = {
    "A daemon is down": _lost(),
    "No replica is active": _without_active(),
    "Breaker open": f"max({of_active(own('breaker_open'))})",
    "API down": f"1 - min({of_active(own('api_up'))})",
    "Key refused": f"1 - min({of_active(own('api_key_accepted'))})",
    "Retries forbidden": or_zero(f"max({of_active(own('retries_forbidden'))})"),
    "Ledger down": f"1 - min({own('ledger_up')})",
    "Configuration not taken up": f"1 - min({own('config_last_reload_successful')})",
    "Observes only": or_zero(f"max({own('mode_info', mode='observe')})"),
}
