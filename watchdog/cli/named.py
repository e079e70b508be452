"""The models that `--model` names, whether or not they are configured."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from watchdog.cli.console import fail, fail_unanswered
from watchdog.cli.model_argument import Known, configured, no_model, resolve
from watchdog.cli.options import load
from watchdog.cli.selection import Named, ask_models, is_pattern, select, with_listed_teams
from watchdog.text.patterns import MODEL_ID

if TYPE_CHECKING:
    from watchdog.config import Config
    from watchdog.engine.ports import ApiError

_NOT_LISTED = "the models cannot be listed"
_OTHERWISE = "`models` lists those that the key sees"


def ids(config: Path | None, words: Sequence[str]) -> Sequence[str]:
    """The ids that ids, names and patterns stand for. If there is no such model, or the API does
    not answer, it prints one line and exits."""
    if not words:
        return ()
    settings = load(config).config
    own = configured(settings)
    patterns = [word for word in words if is_pattern(word) and not any(word in one for one in own)]
    names = [word for word in words if word not in patterns]
    known, error = _known(config, names)
    if error is not None:
        fail_unanswered(error, _NOT_LISTED)
    # What the words say, in their order; a pattern's models come last.
    found = [resolve(word, known, otherwise=_OTHERWISE) for word in names]
    if patterns:
        found += select(patterns, _could_be_watched(settings, patterns), otherwise=_OTHERWISE)
    return list(dict.fromkeys(found))


def _could_be_watched(settings: "Config", patterns: Sequence[str]) -> list[Named]:
    """What a pattern is compared with: the models that are configured or discovered; if there are
    none of either, all that the key sees. The API is asked only if that needs it."""
    from watchdog.domain.discovery import DiscoveryRules

    own = [Named(each.id, each.name, each.team) for each in settings.models]
    teams_needed = any("/" in each for each in patterns) and any(each.team is None for each in own)
    if own and settings.discovery is None and not teams_needed:
        return own
    listed = ask_models(settings, _NOT_LISTED)
    own = with_listed_teams(own, listed)
    found = settings.discovery
    rules = DiscoveryRules(() if own else ("*",)) if found is None else found.rules()
    more = [each for each in listed if each.has_development and rules.wants(each)]
    named = {each.model_id for each in own}
    return own + [Named(each.id, each.name, each.team) for each in more if each.id not in named]


def ids_to_watch(config: Path | None, words: Sequence[str]) -> tuple[Sequence[str], list[str]]:
    """The same for a daemon, and what it is to report. It must start while the API does not answer,
    and watch the other models when one was deleted. So a word that is no known name is an id, if it
    can be one."""
    known, error = _known(config, words)
    unknown = [word for word in words if not any(word in one for one in known)]
    possible = [word for word in unknown if _can_be_id(word)]
    if error is None:
        doubts = [f"--model: {no_model(word, known, _OTHERWISE)}" for word in possible]
    else:
        doubts = [f"--model: names cannot be looked up, ids are expected: {error}"]
        for word in unknown:
            if word not in possible:
                fail(f"--model: {word!r} is no id, and names cannot be looked up: {error}")
    known = known + [(word, None) for word in possible]
    return [resolve(word, known, otherwise=_OTHERWISE) for word in words], doubts


def _known(config: Path | None, words: Sequence[str]) -> tuple[Known, "ApiError | None"]:
    """The API is asked only about what is not configured. If it does not answer, the error is
    returned with what is configured."""
    from watchdog.engine.ports import ApiError

    if not words:
        return [], None
    settings = load(config).config
    known = configured(settings)
    if all(any(word in one for one in known) for word in words):
        return known, None
    try:
        return known + _listed(settings, words), None
    except ApiError as error:
        return known, error


def _listed(settings: "Config", words: Sequence[str]) -> Known:
    """Raises ApiError."""
    import asyncio

    from watchdog.app.commands import list_models
    from watchdog.app.setup import SetupError

    try:
        listing = asyncio.run(list_models(settings, os.environ))
    except SetupError as error:
        fail(str(error))
    known: Known = [(each.id, each.name) for each in listing.models]
    if listing.unreadable:
        known += [(word, None) for word in words if _can_be_id(word)]
    return known


def _can_be_id(word: str) -> bool:
    return re.fullmatch(MODEL_ID, word) is not None
