"""What a person chooses at the top of a dashboard."""

from grafana_foundation_sdk.builders.dashboard import DatasourceVariable, QueryVariable
from grafana_foundation_sdk.models.dashboard import VariableOption, VariableRefresh, VariableSort

from deploy.grafana.panels import DATA_SOURCE
from deploy.grafana.queries import own


def data_source() -> DatasourceVariable:
    return DatasourceVariable("datasource").label("Data source").type("prometheus")


def cluster() -> QueryVariable:
    """All accepts an empty label: Prometheus need not have this one."""
    query = "label_values(baseten_watchdog_build_info, cluster)"
    return _several("cluster", "Cluster", query).all_value(".*")


def namespace() -> QueryVariable:
    """All accepts an empty label, as for the cluster."""
    query = 'label_values(baseten_watchdog_build_info{cluster=~"$cluster"}, namespace)'
    return _several("namespace", "Namespace", query).all_value(".*")


def job() -> QueryVariable:
    chosen = 'cluster=~"$cluster", namespace=~"$namespace"'
    query = f"label_values(baseten_watchdog_build_info{{{chosen}}}, job)"
    return _several("job", "Job", query).all_value(".+")


def models() -> QueryVariable:
    return _named(_several("model", "Model", _MODELS).all_value(".+"))


def model() -> QueryVariable:
    return _named(_query("model", "Model", _MODELS))


_MODELS = (
    "query_result(count by (model_id, model_label) (label_join("
    f'{own("target_info")}, "model_label", " ", "model_name", "model_id")))'
)
"""The name and the id of each, since a name may be missing, and two models may share one."""


def _named(variable: QueryVariable) -> QueryVariable:
    return variable.regex(r'/model_id="(?<value>[^"]+)".*model_label=" ?(?<text>[^"]+)"/')


def _several(name: str, label: str, query: str) -> QueryVariable:
    every = VariableOption(selected=True, text=["All"], value=["$__all"])
    return _query(name, label, query).multi(True).include_all(True).current(every)


def _query(name: str, label: str, query: str) -> QueryVariable:
    return (
        QueryVariable(name)
        .label(label)
        .datasource(DATA_SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
    )
