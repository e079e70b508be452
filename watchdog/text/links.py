"""Links to Baseten's own pages."""

from urllib.parse import quote

APP_URL = "https://app.baseten.co"
"""Where Baseten's web application is, unless `baseten.app_url` names another place."""


def model_link(app_url: str, model_id: str) -> str:
    return f"{app_url}/models/{quote(model_id, safe='')}"


def logs_link(app_url: str, model_id: str, deployment_id: str) -> str:
    """To the logs of a deployment, which is also where the application shows the deployment."""
    return f"{model_link(app_url, model_id)}/logs/{quote(deployment_id, safe='')}"
