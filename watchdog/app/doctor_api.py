"""What `doctor` learns from the API about the key, each model, its logs and its clock."""

from collections.abc import AsyncIterator, Awaitable, Mapping
from datetime import timedelta

from watchdog.app.commands import list_models, open_api
from watchdog.app.diagnosed import Diagnosed, Verdict
from watchdog.app.parts import SetupError
from watchdog.clock import SystemClock
from watchdog.config import Config, LoadedConfig
from watchdog.domain.discovery import ListedModel, Listing
from watchdog.engine.ports import ApiError, BasetenApi, Denied, Deployment

_CLOCK_TOLERANCE = timedelta(seconds=5)
"""An answer may be a few seconds old, and its `Date` is exact to a second."""

_OPTIONAL = "use a key whose role may read it, or go without: `diagnose: false` stops asking"


async def api_findings(
    loaded: LoadedConfig, environ: Mapping[str, str]
) -> AsyncIterator[Diagnosed]:
    """Whether the key is accepted, and what can be read with it of the models and their logs."""
    config = loaded.config
    try:
        async with open_api(config, environ, SystemClock()) as api:
            listing = await api.list_models()
            teams = sorted({model.team for model in listing.models})
            seen = f"{len(listing.models)} models of {', '.join(teams) or 'no team'}"
            yield Diagnosed("key", Verdict.GOOD, f"accepted; it sees {seen}")
            async for each in _models(loaded, api, listing):
                yield each
    except SetupError as error:
        yield Diagnosed(
            "key", Verdict.BAD, str(error), "put a Baseten API key into BASETEN_API_KEY"
        )
    except Denied as error:
        yield await _refused(config, environ, error)
    except ApiError as error:
        remedy = f"see whether {config.baseten.base_url} can be reached from here"
        yield Diagnosed("API", Verdict.BAD, str(error), remedy)


async def _refused(config: Config, environ: Mapping[str, str], error: Denied) -> Diagnosed:
    """Try the other scheme once: a key may be good, and sent in a way that is not accepted."""
    present = config.baseten.auth_scheme
    other = "bearer" if present == "api-key" else "api-key"
    baseten = config.baseten.model_copy(update={"auth_scheme": other})
    try:
        await list_models(config.model_copy(update={"baseten": baseten}), environ)
    except Denied:
        text = f"refused, by either scheme: {error}"
        return Diagnosed("key", Verdict.BAD, text, "use a valid key of the workspace")
    except ApiError as second:
        text = f"refused as {present}: {error}; whether {other} is accepted is not known: {second}"
        remedy = "run `doctor` again, or use a valid key of the workspace"
        return Diagnosed("key", Verdict.BAD, text, remedy)
    text = f"refused as {present}, accepted as {other}: {error}"
    return Diagnosed("key", Verdict.BAD, text, f"set baseten.auth_scheme: {other}")


async def _models(
    loaded: LoadedConfig, api: BasetenApi, listing: Listing
) -> AsyncIterator[Diagnosed]:
    config = loaded.config
    listed = {model.id: model for model in listing.models}
    wanted = [(model.id, model.name) for model in config.models]
    if config.discovery is not None:
        rules = config.discovery.rules()
        named = {model_id for model_id, _ in wanted}
        found = [model for model in listing.models if model.id not in named and rules.wants(model)]
        yield _discovered(found)
        wanted += [(model.id, model.name) for model in found if model.has_development]
    first: Deployment | None = None
    for model_id, name in wanted:
        each, deployment = await _model(api, model_id, name, listed)
        yield each
        if first is None and deployment is not None:
            first = deployment
            yield _clocks(deployment)
            now, slot = SystemClock().now(), deployment.ref.id
            since = now - timedelta(hours=1)
            yield await _readable("logs", api.error_lines(model_id, slot, since=since, until=now))
            yield await _readable("audit log", api.acts(model_id, [slot], since=since))
    text = "not tested, since that would send a retry"
    yield Diagnosed("retry permission", Verdict.UNKNOWN, text, "use a key whose role may deploy")


def _discovered(found: list[ListedModel]) -> Diagnosed:
    if found:
        return Diagnosed("discovery", Verdict.GOOD, f"its patterns find {len(found)} more models")
    remedy = "see `baseten-watchdog models`, and change discovery.include"
    return Diagnosed("discovery", Verdict.BAD, "its patterns find no model", remedy)


async def _model(
    api: BasetenApi, model_id: str, name: str | None, listed: Mapping[str, ListedModel]
) -> tuple[Diagnosed, Deployment | None]:
    title = f"model {name or model_id}"
    if model_id not in listed:
        remedy = "correct its id, or use a key of its team: `baseten-watchdog models` lists them"
        text = f"{model_id} is no model that the key sees"
        return Diagnosed(title, Verdict.BAD, text, remedy), None
    if not listed[model_id].has_development:
        remedy = "push one with `truss watch`, or stop watching it"
        text = "has no development deployment"
        return Diagnosed(title, Verdict.BAD, text, remedy), None
    try:
        deployment = await api.get_deployment(model_id)
    except ApiError as error:
        remedy = "try again; if it stays, look at the model in Baseten"
        return Diagnosed(title, Verdict.BAD, str(error), remedy), None
    return Diagnosed(title, Verdict.GOOD, f"{model_id} is {deployment.status}"), deployment


def _clocks(deployment: Deployment) -> Diagnosed:
    if deployment.date is None:
        text = "the API's answers have no Date to compare with"
        return Diagnosed(
            "clock", Verdict.UNKNOWN, text, "make sure that this host's clock is right"
        )
    off = SystemClock().now() - deployment.date
    if abs(off) > _CLOCK_TOLERANCE:
        seconds = off.total_seconds()
        text = f"this host's clock is {abs(seconds):.0f} s {'ahead' if seconds > 0 else 'behind'}"
        return Diagnosed("clock", Verdict.BAD, text, "set the clock, with NTP for example")
    return Diagnosed("clock", Verdict.GOOD, "agrees with the API's Date")


async def _readable(name: str, reading: Awaitable[object]) -> Diagnosed:
    try:
        await reading
    except ApiError as error:
        return Diagnosed(name, Verdict.UNKNOWN, str(error), _OPTIONAL)
    return Diagnosed(name, Verdict.GOOD, "readable")
