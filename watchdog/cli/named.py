"""The models that `--model` names, by id or name, whether or not they are configured."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from watchdog.cli.console import fail, fail_unanswered
from watchdog.cli.model_argument import Known, configured, did_you_mean, resolve
from watchdog.cli.options import load
from watchdog.text.patterns import MODEL_ID

if TYPE_CHECKING:
    from watchdog.config import Config

_OTHERWISE = "`models` lists those that the key sees"


def ids(config: Path | None, words: Sequence[str]) -> Sequence[str]:
    """The ids that ids and names stand for. If there is no such model, or the API does not answer,
    it prints one line and exits."""
    from watchdog.engine.ports import ApiError

    try:
        known = _known(config, words)
    except ApiError as error:
        fail_unanswered(error, "the models cannot be listed")
    return [resolve(word, known, otherwise=_OTHERWISE) for word in words]


def ids_to_watch(config: Path | None, words: Sequence[str]) -> tuple[Sequence[str], list[str]]:
    """The same for a daemon, and what it is to report. It must start while the API does not answer,
    and watch the other models when one was deleted. So a word that is no known name is an id, if it
    can be one."""
    from watchdog.engine.ports import ApiError

    try:
        known, doubts = _known(config, words), []
    except ApiError as error:
        known, doubts = [], [f"--model: names cannot be looked up, ids are expected: {error}"]
    unknown = [word for word in words if _can_be_id(word) and not any(word in one for one in known)]
    if not doubts:
        for word in unknown:
            meant = did_you_mean(word, known) or _OTHERWISE
            doubts.append(f"--model: there is no model {word!r}: {meant}")
    known += [(word, None) for word in unknown]
    return [resolve(word, known, otherwise=_OTHERWISE) for word in words], doubts


def _known(config: Path | None, words: Sequence[str]) -> Known:
    """Raises ApiError. The API is asked only about what is not configured."""
    if not words:
        return []
    settings = load(config).config
    known = configured(settings)
    if all(any(word in one for one in known) for word in words):
        return known
    return known + _listed(settings, words)


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
