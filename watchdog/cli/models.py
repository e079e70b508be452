"""`models`: what the key can see, what would be watched, and why."""

import os
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import typer

from watchdog.cli.console import fail, fail_unanswered, warn
from watchdog.cli.layout import Column, shorten_end, shorten_middle
from watchdog.cli.options import ConfigOption, JsonOption, load
from watchdog.cli.output import print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence

    from watchdog.app.setup import SetupError
    from watchdog.app.workspace import Workspace
    from watchdog.config import Config
    from watchdog.domain.discovery import DiscoveryRules, ListedModel
    from watchdog.engine.ports import ApiError

T = TypeVar("T")

_NO_RULE = {"rule": None, "rule_pattern": None}


def models(config: ConfigOption = None, json: JsonOption = False) -> None:
    """List the models that are watched, why, and by which rule.

    Without a configuration it lists what the key can see. Where some are discovered, the others
    that the API lists are there too.

    Exit status: 0; 2 wrong usage, configuration or key; 3 the API could not be asked.
    """
    from watchdog.config.policies import overlooked

    settings = load(config).config
    if not settings.watches_any:
        _show_workspace(settings, json=json)
        return
    listing, error = _listing(settings)
    rows = [*_configured(settings, listing), *_listed(settings, listing)]
    for warning in overlooked(settings, listing):
        warn(warning)
    if json:
        print_json({"models": rows})
    else:
        _print_watched(rows)
    if error is not None:
        _fail(error, "the models cannot be listed, so teams are not known")


def _print_watched(rows: "Sequence[Mapping[str, object]]") -> None:
    columns = {
        "watched": Column("watched"),
        "why": Column("why", 1, shorten_end),
        "rule": Column("rule", 2, shorten_middle),
    }
    shown = [{**row, "rule": _rule_text(row)} for row in rows]
    _print(shown, columns, "No model is watched: the API lists none.")


def _print(
    rows: "Sequence[Mapping[str, object]]", more: "Mapping[str, Column]", empty: str
) -> None:
    """A table with who each model is, and these columns of the rows."""
    columns = {
        "model_id": Column("model"),
        "model_name": Column("name", 0, shorten_middle),
        "team": Column("team", 2, shorten_middle),
        **more,
    }
    print_table(
        list(columns.values()),
        [[_text(row[name]) for name in columns] for row in rows],
        empty=empty,
    )


def workspace(settings: "Config") -> "Workspace":
    """The models that the key can see. Prints one line and exits with 2 when the key is refused,
    with 3 when the API does not answer."""
    from watchdog.app.workspace import see_workspace

    seen = _answer(see_workspace(settings, os.environ))
    if seen.unreadable:
        warn(f"{seen.unreadable} entries of the list of models cannot be read")
    return seen


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
    columns = {"development": Column("development", 1), "status": Column("status")}
    _print(rows, columns, "The key sees no models. Push one, or use a key of another team.")
    if rows:
        typer.echo("\nNothing is configured to be watched: `baseten-watchdog init` chooses models.")


def _listing(settings: "Config") -> "tuple[Sequence[ListedModel], SetupError | ApiError | None]":
    """What the API lists. Where nothing is discovered the configuration says what is watched, so
    that it can be shown before the command fails on an API that cannot be asked."""
    import asyncio

    from watchdog.app.commands import list_models
    from watchdog.app.setup import SetupError
    from watchdog.engine.ports import ApiError

    if settings.discovery is not None:
        found = _answer(list_models(settings, os.environ))
    else:
        try:
            found = asyncio.run(list_models(settings, os.environ))
        except (SetupError, ApiError) as error:
            return (), error
    if found.unreadable:
        warn(f"{found.unreadable} entries of the list of models cannot be read")
    return found.models, None


def _answer(question: "Coroutine[Any, Any, T]") -> "T":
    """The answer. Prints one line and exits with 2 when the key is refused, with 3 when the API
    does not answer."""
    import asyncio

    from watchdog.app.setup import SetupError
    from watchdog.engine.ports import ApiError

    try:
        return asyncio.run(question)
    except (SetupError, ApiError) as error:
        _fail(error, "the models cannot be listed")


def _fail(error: "SetupError | ApiError", consequence: str) -> NoReturn:
    from watchdog.engine.ports import ApiError

    if isinstance(error, ApiError):
        fail_unanswered(error, consequence)
    fail(str(error))


def _configured(settings: "Config", listing: "Sequence[ListedModel]") -> list[dict[str, object]]:
    names = {model.id: model.name for model in listing}
    teams = {model.id: model.team for model in listing}
    return [
        {
            "model_id": model.id,
            "model_name": model.name or names.get(model.id),
            "team": model.team or teams.get(model.id),
            "watched": True,
            "why": "configured",
            **_rule(settings, model.id, model.name, model.team),
        }
        for model in settings.models
    ]


def _rule(
    settings: "Config", model_id: str, name: str | None, team: str | None
) -> "Mapping[str, object]":
    """The rule that applies, and the first of its patterns that matches."""
    from watchdog.config.policies import rule_of
    from watchdog.domain.discovery import first_match

    number = rule_of(settings, model_id, name, team)
    if number is None:
        return _NO_RULE
    patterns = settings.rules[number].match
    return {"rule": number, "rule_pattern": first_match(patterns, model_id, name, team)}


def _rule_text(row: "Mapping[str, object]") -> str | None:
    return None if row["rule"] is None else f"rules[{row['rule']}] ({row['rule_pattern']})"


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
            **(_rule(settings, model.id, model.name, model.team) if watched else _NO_RULE),
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
