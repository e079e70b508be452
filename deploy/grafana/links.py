"""Where a person goes on from a panel."""

from grafana_foundation_sdk.builders.dashboard import DashboardLink
from grafana_foundation_sdk.models.dashboard import DashboardLinkType

FLEET, MODEL = "baseten-watchdog-fleet", "baseten-watchdog-model"
"""The dashboards' identities, which bookmarks and links keep."""

RUNBOOKS = (
    "https://github.com/baseten-watchdog/baseten-watchdog/blob/main/deploy/prometheus/RUNBOOKS.md"
)

_KEPT = "${datasource:queryparam}&${cluster:queryparam}&${job:queryparam}&${__url_time_range}"


def runbook(alert: str) -> DashboardLink:
    return _outside(f"Runbook: {alert.removeprefix('BasetenWatchdog')}", alert.lower())


def runbooks() -> DashboardLink:
    return _outside("Runbooks", "")


def _outside(title: str, anchor: str) -> DashboardLink:
    url = f"{RUNBOOKS}#{anchor}" if anchor else RUNBOOKS
    link = DashboardLink(title).type(DashboardLinkType.LINK).icon("doc").url(url)
    return link.target_blank(True)


def dashboard(title: str, uid: str) -> DashboardLink:
    """To the other dashboard, for the same fleet and time."""
    link = DashboardLink(title).type(DashboardLinkType.LINK).icon("dashboard").url(f"/d/{uid}")
    return link.include_vars(True).keep_time(True)


def model_of_series() -> DashboardLink:
    """To the model that the series is about."""
    return DashboardLink("This model").url(
        f"/d/{MODEL}?var-model=${{__field.labels.model_id}}&{_KEPT}"
    )


def model_of_row() -> dict[str, str]:
    """To the model that the table's row is about, as a field's option."""
    url = f'/d/{MODEL}?var-model=${{__data.fields["model_id"]}}&{_KEPT}'
    return {"title": "This model", "url": url}
