"""Answers to a look that are not about the requested development slot."""

import json
from datetime import datetime
from typing import Literal

from watchdog.emulator import bodies
from watchdog.emulator.replies import Reply
from watchdog.emulator.values import Deployment, NotFound
from watchdog.emulator.workspace import Workspace

Stranger = Literal["other_model", "not_development"]


def about_another(
    kind: Stranger, workspace: Workspace, model_id: str, now: datetime
) -> tuple[Reply, str]:
    """The answer, and what it is about: the next model of the workspace, or the model's production
    deployment, which is always failing."""
    if kind == "not_development":
        failed = Deployment("production1", now, model_id, "BUILD_FAILED")
        body = {**bodies.deployment(failed), "is_development": False, "is_production": True}
        return Reply(200, json.dumps(body).encode()), "production"
    models = [model.id for model in workspace.models(now)]
    other = models[(models.index(model_id) + 1) % len(models)]
    try:
        shown = workspace.development(other, now)
    except NotFound:
        shown = Deployment("stranger1", now, other, "BUILD_FAILED")
    if other == model_id:
        shown = Deployment("stranger1", now, "stranger", "BUILD_FAILED")
    return Reply(200, json.dumps(bodies.deployment(shown)).encode()), shown.model_id
