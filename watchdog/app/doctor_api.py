"""What `doctor` learns from the API about the key, each model, its logs and its clock."""

from collections.abc import AsyncIterator, Awaitable, Mapping
from datetime import timedelta

from watchdog.app.commands import list_models, open_api
from watchdog.app.doctor_result import DoctorResult, Verdict
from watchdog.app.parts import make_key
from watchdog.app.setup import SetupError
from watchdog.clock import SystemClock
from watchdog.config import Config, LoadedConfig
from watchdog.config.policies import overlooked
from watchdog.domain.discovery import ListedModel, Listing
from watchdog.engine.ports import ApiError, BasetenApi, Denied, Deployment
from watchdog.text.phrases import counted

_CLOCK_TOLERANCE = timedelta(seconds=5)
"""An answer may be a few seconds old, and its `Date` is exact to a second."""

_OPTIONAL = "use a key whose role may read it, or go without: `diagnose: false` stops asking"


async def api_results(
    loaded: LoadedConfig, environ: Mapping[str, str]
) -> AsyncIterator[DoctorResult]:
    """Whether the key is accepted, and what can be read with it of the models and their logs."""
    config = loaded.config
    try:
        make_key(config, environ)
    except SetupError as error:
        remedy = "make a key in Baseten, in the settings of the workspace, if you have none"
        yield DoctorResult("key", Verdict.BAD, str(error), remedy)
        return
    try:
        async with open_api(config, environ, SystemClock()) as api:
            listing = await api.list_models()
            teams = sorted({model.team for model in listing.models})
            seen = f"{counted(len(listing.models), 'model')} of {', '.join(teams) or 'no team'}"
            scheme, where = config.baseten.auth_scheme, config.baseten.base_url
            text = f"accepted by {where} as {scheme}; it sees {seen}"
            yield DoctorResult("key", Verdict.GOOD, text)
            async for each in _models(loaded, api, listing):
                yield each
    except SetupError as error:
        yield DoctorResult("API", Verdict.BAD, str(error), "correct it, and run `doctor` again")
    except Denied as error:
        yield await _refused(config, environ, error)
    except ApiError as error:
        remedy = f"see whether {config.baseten.base_url} can be reached from here"
        yield DoctorResult("API", Verdict.BAD, str(error), remedy)


async def _refused(config: Config, environ: Mapping[str, str], error: Denied) -> DoctorResult:
    """Try the other scheme once: the key may be good, but sent with a scheme that is not
    accepted."""
    present = config.baseten.auth_scheme
    other = "bearer" if present == "api-key" else "api-key"
    baseten = config.baseten.model_copy(update={"auth_scheme": other})
    try:
        await list_models(config.model_copy(update={"baseten": baseten}), environ)
    except Denied:
        text = f"refused, by either scheme: {error}"
        return DoctorResult("key", Verdict.BAD, text, "use a valid key of the workspace")
    except ApiError as second:
        text = f"refused as {present}: {error}; whether {other} is accepted is not known: {second}"
        remedy = "run `doctor` again, or use a valid key of the workspace"
        return DoctorResult("key", Verdict.BAD, text, remedy)
    text = f"refused as {present}, accepted as {other}: {error}"
    return DoctorResult("key", Verdict.BAD, text, f"set baseten.auth_scheme: {other}")


async def _models(
    loaded: LoadedConfig, api: BasetenApi, listing: Listing
) -> AsyncIterator[DoctorResult]:
    config = loaded.config
    listed = {model.id: model for model in listing.models}
    wanted = [(model.id, model.name) for model in config.models]
    if config.discovery is not None:
        rules = config.discovery.rules()
        named = {model_id for model_id, _ in wanted}
        found = [model for model in listing.models if model.id not in named and rules.wants(model)]
        yield _discovered(found)
        wanted += [(model.id, model.name) for model in found if model.has_development]
    for warning in overlooked(config, listing.models):
        yield DoctorResult("rules", Verdict.UNKNOWN, warning, "give both in `models`")
    teams = {model.id: model.team for model in config.models}
    first_id, first = "", None
    for model_id, name in wanted:
        each, deployment = await _model(api, model_id, name, listed)
        yield each
        if (seen := listed.get(model_id)) and teams.get(model_id) not in (None, seen.team):
            yield _other_team(name or model_id, teams[model_id], seen.team)
        if first is None and deployment is not None:
            first_id, first = model_id, deployment
            clock = _clocks(deployment)  # Now: the others take their time.
    if first is not None:
        yield clock
        async for each in _evidence(api, first_id, first):
            yield each
    text = "not tested, since that would send a retry"
    yield DoctorResult("retry permission", Verdict.UNKNOWN, text, "use a key whose role may deploy")


async def _evidence(
    api: BasetenApi, model_id: str, deployment: Deployment
) -> AsyncIterator[DoctorResult]:
    """Whether what explains a failure can be read, of one model."""
    now, deployment_id = SystemClock().now(), deployment.ref.id
    since = now - timedelta(hours=1)
    yield await _readable("logs", api.log_lines(model_id, deployment_id, since=since, until=now))
    yield await _readable("audit log", api.acts(model_id, [deployment_id], since=since))


def _discovered(found: list[ListedModel]) -> DoctorResult:
    if found:
        return DoctorResult(
            "discovery", Verdict.GOOD, f"its patterns find {counted(len(found), 'more model')}"
        )
    remedy = "see `baseten-watchdog models`, and change discovery.include"
    return DoctorResult("discovery", Verdict.BAD, "its patterns find no model", remedy)


async def _model(
    api: BasetenApi, model_id: str, name: str | None, listed: Mapping[str, ListedModel]
) -> tuple[DoctorResult, Deployment | None]:
    title = f"model {name or model_id}"
    if model_id not in listed:
        remedy = "correct its id, or use a key of its team: `baseten-watchdog models` lists them"
        text = f"{model_id} is no model that the key sees"
        return DoctorResult(title, Verdict.BAD, text, remedy), None
    if not listed[model_id].has_development:
        remedy = "push one with `truss watch`, or stop watching it"
        text = "has no development deployment"
        return DoctorResult(title, Verdict.BAD, text, remedy), None
    try:
        deployment = await api.get_deployment(model_id)
    except ApiError as error:
        remedy = "try again; if it stays, look at the model in Baseten"
        return DoctorResult(title, Verdict.BAD, str(error), remedy), None
    return DoctorResult(title, Verdict.GOOD, f"{model_id} is {deployment.status}"), deployment


def _other_team(name: str, given: str | None, listed: str) -> DoctorResult:
    text = f"is in the team {listed}, and the configuration says {given}"
    remedy = "correct its `team`: rules go by what the configuration says"
    return DoctorResult(f"model {name}", Verdict.BAD, text, remedy)


def _clocks(deployment: Deployment) -> DoctorResult:
    if deployment.date is None:
        text = "the API's answers have no Date to compare with"
        return DoctorResult(
            "clock", Verdict.UNKNOWN, text, "make sure that this host's clock is right"
        )
    off = SystemClock().now() - deployment.date
    if abs(off) > _CLOCK_TOLERANCE:
        seconds = off.total_seconds()
        text = f"this host's clock is {abs(seconds):.0f} s {'ahead' if seconds > 0 else 'behind'}"
        return DoctorResult("clock", Verdict.BAD, text, "set the clock, with NTP for example")
    return DoctorResult("clock", Verdict.GOOD, "agrees with the API's Date")


async def _readable(name: str, reading: Awaitable[object]) -> DoctorResult:
    try:
        await reading
    except ApiError as error:
        return DoctorResult(name, Verdict.UNKNOWN, str(error), _OPTIONAL)
    return DoctorResult(name, Verdict.GOOD, "readable")
