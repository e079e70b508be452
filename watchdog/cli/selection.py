"""Which models a command is about: names, ids and patterns on the command line, and `--state`."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from watchdog.cli.console import fail, fail_unanswered
from watchdog.cli.model_argument import complete_model, resolve

if TYPE_CHECKING:
    from watchdog.config import Config
    from watchdog.domain.records import Target

ModelsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MODEL",
        help="Ids, names, or patterns such as 'llama-*' and 'team-a/*'.",
        autocompletion=complete_model,
    ),
]


def _complete_state(begun: str) -> list[str]:
    return [word for word in _known_states() if word.startswith(begun)]


def _known_states() -> tuple[str, ...]:
    """The words of the summary, and the states."""
    from watchdog.domain.records import TargetState
    from watchdog.engine.fleet.groups import Group

    return tuple(dict.fromkeys([*Group, *(state.value for state in TargetState)]))


StateOption = Annotated[
    list[str] | None,
    typer.Option(
        "--state",
        metavar="STATE",
        help="Only models in this state, or counted so in the summary, as needs_you; may be "
        "repeated.",
        autocompletion=_complete_state,
    ),
]


@dataclass(frozen=True, slots=True)
class Named:
    """A model by what a command line may call it. `team` None: it is not known."""

    model_id: str
    name: str | None = None
    team: str | None = None

    @property
    def title(self) -> str:
        return self.name or self.model_id


def select(
    words: Sequence[str], known: Sequence[Named], past: "Sequence[Target]" = ()
) -> list[str]:
    """The ids of the models that the words select, in the order of `known`, then of the words.
    A word that selects none ends the command: it may be mistyped. Only a whole id or name selects a
    model of `past`."""
    chosen: set[str] = set()
    for word in words:
        found = {each.model_id for each in known if _selects(word, each)}
        if not found and is_pattern(word):
            fail(f"no model matches {word!r}: `status` lists those it knows")
        if not is_pattern(word):
            found = {resolve(word, [(each.model_id, each.name) for each in known], past)}
        chosen |= found
    listed = [each.model_id for each in known if each.model_id in chosen]
    return listed + sorted(chosen.difference(listed))


def _selects(word: str, model: Named) -> bool:
    from watchdog.domain.discovery import matches

    return matches(word, model.model_id, model.name, model.team)


def is_pattern(word: str) -> bool:
    return any(sign in word for sign in "*?[/")


def states(words: Sequence[str] | None) -> frozenset[str]:
    """The states that `--state` asks for. An unknown one ends the command."""
    asked = [word.replace("-", "_") for word in words or ()]
    known = _known_states() if asked else ()
    for word in asked:
        if word not in known:
            fail(f"--state: there is no state {word!r}: it is one of {', '.join(known)}")
    return frozenset(asked)


def is_in(target: "Target", asked: frozenset[str]) -> bool:
    from watchdog.domain.status import state_of
    from watchdog.engine.fleet.groups import group_of

    return not asked or state_of(target).value in asked or group_of(target).value in asked


def with_teams(settings: "Config", words: Sequence[str], known: Sequence[Named]) -> list[Named]:
    """With the teams that the words need: where the ledger does not know one, the API is asked."""
    needed = any("/" in word for word in words) and any(each.team is None for each in known)
    if not needed:
        return list(known)
    import asyncio

    from watchdog.app.commands import list_models
    from watchdog.app.setup import SetupError
    from watchdog.engine.ports import ApiError

    try:
        listing = asyncio.run(list_models(settings, os.environ))
    except SetupError as error:
        fail(str(error))
    except ApiError as error:
        fail_unanswered(error, "the teams of the models are not known")
    teams = {model.id: model.team for model in listing.models}
    return [replace(each, team=each.team or teams.get(each.model_id)) for each in known]
