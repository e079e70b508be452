"""`doctor`: whether everything that the daemon needs is there."""

import os
from typing import TYPE_CHECKING

import typer

from watchdog.cli.layout import shorten_middle
from watchdog.cli.options import ConfigOption, JsonOption, load
from watchdog.cli.output import drawn, print_json, said, say
from watchdog.files.places import config_file
from watchdog.text.untrusted import clean

if TYPE_CHECKING:
    from pathlib import Path

    from watchdog.app.doctor_result import DoctorResult
    from watchdog.config import LoadedConfig

_SIGNS = {
    "ok": ("✓", "+", typer.colors.GREEN),
    "wrong": ("✗", "x", typer.colors.RED),
    "unknown": ("?", "?", None),
}
"""For each result its sign, that for an encoding that lacks the first, and its colour."""
_NAME_WIDTH = 24
_INDENT = len("✓ ") + _NAME_WIDTH + len(" ")


def doctor(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Look whether everything that the daemon needs is there, and say what is wrong.

    It looks at the configuration, the key, each model, the ledger, the clock and the network. It
    sends no retry and writes nothing.

    Exit status: 0 nothing is wrong; 1 something is; 2 wrong usage or configuration.
    """
    import asyncio

    file = config_file(config)
    loaded = load(file)
    found = asyncio.run(_examine(loaded, file, show=not json))
    if json:
        print_json(
            {
                "checks": [
                    {
                        "name": each.name,
                        "result": each.verdict.value,
                        "text": each.text,
                        "remedy": each.remedy or None,
                    }
                    for each in found
                ]
            }
        )
    else:
        _count(found)
    if any(each.verdict == "wrong" for each in found):
        raise typer.Exit(1)


async def _examine(
    loaded: "LoadedConfig", file: "Path | None", *, show: bool
) -> "list[DoctorResult]":
    from watchdog.app.doctor import examine

    found = []
    async for each in examine(loaded, file, os.environ):
        found.append(each)
        if show:
            _show(each)
    return found


def _count(found: "list[DoctorResult]") -> None:
    """The last line: what a long list contains."""
    counts = {verdict: sum(each.verdict == verdict for each in found) for verdict in _SIGNS}
    say(f"{counts['ok']} right, {counts['wrong']} wrong, {counts['unknown']} not known")


def _show(each: "DoctorResult") -> None:
    usual, instead, colour = _SIGNS[each.verdict.value]
    sign = drawn(usual, instead)
    name = shorten_middle(clean(each.name), _NAME_WIDTH, drawn("…", "~"))
    first, *more = said(f"{sign} {name:<{_NAME_WIDTH}} {clean(each.text)}", indent=_INDENT)
    typer.echo("\n".join((first.replace(sign, typer.style(sign, fg=colour), 1), *more)))
    if each.remedy:
        say(f"{'':<{_INDENT}}{each.remedy}", indent=_INDENT)
