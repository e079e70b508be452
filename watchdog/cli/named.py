"""The models that `--model` names, by id or name, whether or not they are configured."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from watchdog.cli.console import fail, fail_unanswered
from watchdog.cli.model_argument import Known, configured, no_model, resolve
from watchdog.cli.options import load
from watchdog.text.patterns import MODEL_ID

if TYPE_CHECKING:
    from watchdog.config import Config
    from watchdog.engine.ports import ApiError

_OTHERWISE = "`models` lists those that the key sees"


def ids(config: Path | None, words: Sequence[str]) -> Sequence[str]:
    """The ids that ids and names stand for. If there is no such model, or the API does not answer,
    it prints one line and exits."""
    known, error = _known(config, words)
    if error is not None:
        fail_unanswered(error, "the models cannot be listed")
    return [resolve(word, known, otherwise=_OTHERWISE) for word in words]


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
