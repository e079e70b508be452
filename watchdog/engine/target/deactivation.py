"""Finds out who deactivated a deployment, by the API's audit log."""

from watchdog.domain.records import Actor, Observation, Target
from watchdog.engine.ports import Act, ActEvent, ApiError, BasetenApi

_SWITCHING = frozenset(
    {ActEvent.PUSHED, ActEvent.ACTIVATED, ActEvent.RETRIED, ActEvent.DEACTIVATED}
)


async def who_deactivated(api: BasetenApi, target: Target, seen: Observation) -> Actor | None:
    """Who deactivated the deployment; None if the log does not say so or cannot be read."""
    deployment = seen.deployment
    try:
        acts = await api.acts(target.model_id, [deployment.id], since=deployment.created_at)
    except ApiError:
        return None
    # A deactivation that is older than the last activation is not the present one.
    switched = [act for act in acts if act.event in _SWITCHING]
    latest = max(switched, key=_at, default=None)
    return latest.by if latest is not None and latest.event == ActEvent.DEACTIVATED else None


def _at(act: Act) -> float:
    return act.at.timestamp()
