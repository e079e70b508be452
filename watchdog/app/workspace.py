"""Which models the key can read, for a user who has no configuration yet."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from watchdog.app.commands import open_api
from watchdog.clock import SystemClock
from watchdog.config import Config
from watchdog.domain.discovery import ListedModel
from watchdog.engine.ports import ApiError, BasetenApi, Denied


@dataclass(frozen=True, slots=True)
class SeenModel:
    """A model of the workspace, and the status of its development deployment. It is None when there
    is none, or when the API did not report it."""

    listed: ListedModel
    status: str | None


@dataclass(frozen=True, slots=True)
class Workspace:
    """The models, sorted by team and name, and how many entries of the list could not be read."""

    models: tuple[SeenModel, ...]
    unreadable: int


async def see_workspace(config: Config, environ: Mapping[str, str]) -> Workspace:
    """Raises SetupError, and ApiError where the models cannot be listed or the key is refused."""
    async with open_api(config, environ, SystemClock()) as api:
        listing = await api.list_models()
        models = sorted(listing.models, key=lambda model: (model.team, model.name, model.id))
        seen = await asyncio.gather(*(_see(api, model) for model in models))
    return Workspace(tuple(seen), listing.unreadable)


async def _see(api: BasetenApi, model: ListedModel) -> SeenModel:
    if not model.has_development:
        return SeenModel(model, None)
    try:
        deployment = await api.get_deployment(model.id)
    except Denied:
        raise
    except ApiError:
        return SeenModel(model, None)
    return SeenModel(model, deployment.status)
