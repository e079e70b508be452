"""Shows what operators did."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from watchdog.cli.output import when_in_zone
from watchdog.domain.records import Action
from watchdog.text.phrases import few_of
from watchdog.text.untrusted import clean

_NAMED = 3
"""How many models are named in a line."""


def pause_lines(pauses: Iterable[Action]) -> Iterator[str]:
    """The pauses in force. Those that were ordered together are one line."""
    together: dict[tuple[Any, ...], list[Action]] = {}
    for pause in pauses:
        by_itself = pause.model_id is None
        together.setdefault((by_itself, pause.until, pause.who, pause.note), []).append(pause)
    for (_, until, who, note), ordered in together.items():
        told = f": {clean(note)}" if note else ""
        yield f"paused: {_whom(ordered)} until {when_in_zone(until)} by {clean(who)}{told}"


def _whom(pauses: Sequence[Action]) -> str:
    return few_of([pause.model_id or "all models" for pause in pauses], _NAMED)
