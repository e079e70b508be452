"""Finds out who deactivated a deployment, by the API's audit log."""

from watchdog.domain.records import Actor, Observation, Target
from watchdog.engine.ports import Act, ApiError, BasetenApi

DEACTIVATED = "MODEL_DEPLOYMENT_DEACTIVATED"
_ACTIVATING = frozenset(
    {"MODEL_DEPLOYED", "MODEL_DEPLOYMENT_ACTIVATED", "MODEL_DEPLOYMENT_RETRIED"}
)


async def who_deactivated(api: BasetenApi, target: Target, seen: Observation) -> Actor | None:
    """Whose act an INACTIVE is; None where the log does not tell, or cannot be read."""
    deployment = seen.deployment
    try:
        acts = await api.acts(target.model_id, [deployment.id], since=deployment.created_at)
    except ApiError:
        return None
    # An entry about the deactivation before the last activation says nothing of this one.
    switched = [act for act in acts if act.event in {DEACTIVATED, *_ACTIVATING}]
    latest = max(switched, key=_at, default=None)
    return latest.by if latest is not None and latest.event == DEACTIVATED else None


def _at(act: Act) -> float:
    return act.at.timestamp()
