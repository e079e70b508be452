"""`models`: what the key can see, what would be watched, and why."""

import asyncio
import os
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from watchdog.cli.console import EXIT_API, fail, warn
from watchdog.cli.options import ConfigOption, JsonOption, load
from watchdog.cli.output import print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence

    from watchdog.app.workspace import Workspace
    from watchdog.config import Config
    from watchdog.domain.discovery import DiscoveryRules, ListedModel, Listing
    from watchdog.engine.ports import Denied

T = TypeVar("T")


def models(config: ConfigOption = None, json: JsonOption = False) -> None:
    """List the models that are watched with this configuration, the others that the API lists
    where some are discovered, and why. Without a configuration, list what the key can see.

    Exit status: 0; 2 wrong usage, configuration or key; 3 the API could not be asked.
    """
    settings = load(config).config
    if not settings.watches_any:
        _show_workspace(settings, json=json)
        return
    listing: Sequence[ListedModel] = ()
    if settings.discovery is not None:
        found = _listing(settings)
        listing = found.models
        if found.unreadable:
            warn(f"{found.unreadable} entries of the list of models cannot be read")
    rows = [*_configured(settings, listing), *_listed(settings, listing)]
    if json:
        print_json({"models": rows})
        return
    _print(rows, "watched", "why")


def _print(rows: "Sequence[Mapping[str, object]]", *more: str) -> None:
    """A table with who each model is, and these columns of the rows."""
    columns = ("model_id", "model_name", "team", *more)
    print_table(
        ("model", "name", "team", *more),
        [[_text(row[column]) for column in columns] for row in rows],
    )


def workspace(settings: "Config") -> "Workspace":
    """The models that the key can see. Prints one line and exits with 2 when the key is refused,
    with 3 when the API does not answer."""
    from watchdog.app.workspace import see_workspace

    seen = _answer(see_workspace(settings, os.environ))
    if seen.unreadable:
        warn(f"{seen.unreadable} entries of the list of models cannot be read")
    return seen


def key_refused(error: "Denied") -> str:
    """One line for a person."""
    return (
        f"the API refuses the key: {str(error).rstrip('.')}: put a valid Baseten API key into "
        "BASETEN_API_KEY or baseten.api_key_file"
    )


def _show_workspace(settings: "Config", *, json: bool) -> None:
    rows = [
        {
            "model_id": seen.listed.id,
            "model_name": seen.listed.name,
            "team": seen.listed.team,
            "development": seen.listed.has_development,
            "status": seen.status,
        }
        for seen in workspace(settings).models
    ]
    if json:
        print_json({"models": rows})
        return
    _print(rows, "development", "status")
    if not rows:
        typer.echo("The key sees no models. Push one, or use a key of another team.")
    else:
        typer.echo("\nNothing is configured to be watched: `baseten-watchdog init` chooses models.")


def _listing(settings: "Config") -> "Listing":
    from watchdog.app.commands import list_models

    return _answer(list_models(settings, os.environ))


def _answer(question: "Coroutine[Any, Any, T]") -> "T":
    """The answer. Prints one line and exits with 2 when the key is refused, with 3 when the API
    does not answer."""
    from watchdog.app.parts import SetupError
    from watchdog.engine.ports import ApiError, Denied

    try:
        return asyncio.run(question)
    except SetupError as error:
        fail(str(error))
    except Denied as error:
        fail(key_refused(error))
    except ApiError as error:
        fail(f"the models cannot be listed: {error}", status=EXIT_API)


def _configured(settings: "Config", listing: "Sequence[ListedModel]") -> list[dict[str, object]]:
    teams = {model.id: model.team for model in listing}
    return [
        {
            "model_id": model.id,
            "model_name": model.name,
            "team": teams.get(model.id),
            "watched": True,
            "why": "configured",
        }
        for model in settings.models
    ]


def _listed(settings: "Config", listing: "Sequence[ListedModel]") -> list[dict[str, object]]:
    """The models that the file does not name: watched ones first, then sorted by team and name."""
    if settings.discovery is None:
        return []
    named = {model.id for model in settings.models}
    judged = [
        (*_judged(model, settings.discovery.rules()), model)
        for model in listing
        if model.id not in named
    ]
    judged.sort(key=lambda each: (not each[0], each[2].team, each[2].name, each[2].id))
    return [
        {
            "model_id": model.id,
            "model_name": model.name,
            "team": model.team,
            "watched": watched,
            "why": why,
        }
        for watched, why, model in judged
    ]


def _judged(model: "ListedModel", rules: "DiscoveryRules") -> tuple[bool, str]:
    included, excluded = rules.included_by(model), rules.excluded_by(model)
    if included is None:
        return False, "no pattern includes it"
    if excluded is not None:
        return False, f"excluded by {excluded}"
    if not model.has_development:
        return False, f"included by {included}, without a development deployment"
    return True, f"included by {included}"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)
