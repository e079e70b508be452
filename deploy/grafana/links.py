"""Where a person goes on from a panel."""

from typing import Any

from grafana_foundation_sdk.builders.dashboard import DashboardLink
from grafana_foundation_sdk.models.dashboard import DashboardLinkType

from watchdog.text.links import APP_URL

FLEET, MODEL = "baseten-watchdog-fleet", "baseten-watchdog-model"
"""The dashboards' identities, which bookmarks and links keep."""

RUNBOOKS = (
    "https://github.com/baseten-watchdog/baseten-watchdog/blob/main/deploy/prometheus/RUNBOOKS.md"
)

_CHOSEN = "&".join(
    f"${{{name}:queryparam}}" for name in ("datasource", "cluster", "namespace", "job")
)


def runbook(alert: str) -> DashboardLink:
    return _outside(f"Runbook: {alert.removeprefix('BasetenWatchdog')}", alert.lower())


def runbooks() -> DashboardLink:
    return _outside("Runbooks", "")


def _outside(title: str, anchor: str) -> DashboardLink:
    url = f"{RUNBOOKS}#{anchor}" if anchor else RUNBOOKS
    link = DashboardLink(title).type(DashboardLinkType.LINK).icon("doc").url(url)
    return link.target_blank(True)


def dashboard(title: str, uid: str) -> DashboardLink:
    """A link to the other dashboard, for the same fleet and time.

    It does not pass on the chosen model: one dashboard shows one model, and the other several.
    """
    link = DashboardLink(title).type(DashboardLinkType.LINK).icon("dashboard")
    return link.url(f"/d/{uid}?{_CHOSEN}").keep_time(True)


def model_of_series() -> DashboardLink:
    """A link to the model that the series is about."""
    return DashboardLink("This model").url(_model("${__field.labels.model_id}"))


def model_of_row() -> dict[str, str]:
    """A link to the model that the table's row is about, as a field's option."""
    return {"title": "This model", "url": _model('${__data.fields["model_id"]}')}


def logs_of_row() -> dict[str, Any]:
    """A link to the logs in Baseten of the deployment that the field holds, as a field's option."""
    url = f'{APP_URL}/models/${{__data.fields["model_id"]}}/logs/${{__value.raw}}'
    return {"title": "Logs in Baseten", "url": url, "targetBlank": True}


def chosen_model() -> DashboardLink:
    """A link to the model in Baseten that the dashboard is about."""
    link = DashboardLink("In Baseten").type(DashboardLinkType.LINK).icon("external link")
    return link.url(f"{APP_URL}/models/${{model}}").target_blank(True)


def _model(model_id: str) -> str:
    return f"/d/{MODEL}?var-model={model_id}&{_CHOSEN}&${{__url_time_range}}"
