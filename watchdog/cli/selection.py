"""Which models a command is about: names, ids and patterns on the command line, and `--state`."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from watchdog.cli.console import fail, fail_unanswered
from watchdog.cli.model_argument import STATUS_LISTS, complete_model, resolve

if TYPE_CHECKING:
    from watchdog.config import Config
    from watchdog.domain.discovery import ListedModel
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
    words: Sequence[str],
    known: Sequence[Named],
    past: "Sequence[Target]" = (),
    *,
    otherwise: str = STATUS_LISTS,
) -> list[str]:
    """The ids of the models that the words select, in the order of `known`, then of the words.
    A word that selects none ends the command with similar names, or `otherwise`: it may be
    mistyped. Only a whole id or name selects a model of `past`."""
    chosen: set[str] = set()
    pairs = [(each.model_id, each.name) for each in known]
    for word in words:
        found = selected(word, known)
        if not is_pattern(word):
            found = {resolve(word, pairs, past, otherwise=otherwise)}
        elif not found:
            found = {each.model_id for each in past if word in (each.model_id, each.name)}
        if not found:
            fail(f"no model matches {word!r}: {otherwise}")
        chosen |= found
    listed = [each.model_id for each in known if each.model_id in chosen]
    return listed + sorted(chosen.difference(listed))


def selected(word: str, known: Sequence[Named]) -> set[str]:
    """The ids of the models that a word selects: the one whose whole id it is, else those whose
    whole name it is, else those that match it as a pattern. What has a sign of a pattern, as a name
    may, is always compared as a pattern too; a slash alone, as in `team/name`, is no such sign."""
    from watchdog.domain.discovery import matches

    if any(each.model_id == word for each in known):
        return {word}
    named = {each.model_id for each in known if each.name == word}
    if named and not any(sign in word for sign in _WILD):
        return named
    return named | {
        each.model_id for each in known if matches(word, each.model_id, each.name, each.team)
    }


_WILD = "*?["


def is_pattern(word: str) -> bool:
    return any(sign in word for sign in f"{_WILD}/")


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
    whole = {text for each in known for text in (each.model_id, each.name)}
    asks = any("/" in word and word not in whole for word in words)
    needed = asks and any(each.team is None for each in known)
    if not needed:
        return list(known)
    return with_listed_teams(known, ask_models(settings, "the teams of the models are not known"))


def ask_models(settings: "Config", consequence: str) -> "Sequence[ListedModel]":
    """The models that the API lists. If it does not, one line says so with the consequence, and the
    command ends."""
    import asyncio

    from watchdog.app.commands import list_models
    from watchdog.app.setup import SetupError
    from watchdog.engine.ports import ApiError

    try:
        return asyncio.run(list_models(settings, os.environ)).models
    except SetupError as error:
        fail(str(error))
    except ApiError as error:
        fail_unanswered(error, consequence)


def with_listed_teams(known: Sequence[Named], listed: "Sequence[ListedModel]") -> list[Named]:
    """With the team that the API lists, where none is known."""
    teams = {model.id: model.team for model in listed}
    return [replace(each, team=each.team or teams.get(each.model_id)) for each in known]
