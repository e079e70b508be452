"""`doctor`: whether everything that the daemon needs is there."""

import asyncio
import os
from typing import TYPE_CHECKING

import typer

from watchdog.cli.options import ConfigOption, JsonOption, config_file, load
from watchdog.cli.output import print_json
from watchdog.text.untrusted import clean

if TYPE_CHECKING:
    from pathlib import Path

    from watchdog.app.diagnosed import Diagnosed
    from watchdog.config import LoadedConfig

_SIGNS = {"ok": ("✓", typer.colors.GREEN), "wrong": ("✗", typer.colors.RED), "unknown": ("?", None)}
_NAME_WIDTH = 18


def doctor(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Look at the configuration, the key, each model, the ledger, the clock and the network, and
    say of each what is right, wrong or not known. It sends no retry and writes nothing.

    Exit status: 0 nothing is wrong; 1 something is; 2 wrong usage or configuration.
    """
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
    if any(each.verdict == "wrong" for each in found):
        raise typer.Exit(1)


async def _examine(loaded: "LoadedConfig", file: "Path | None", *, show: bool) -> "list[Diagnosed]":
    from watchdog.app.doctor import examine

    found = []
    async for each in examine(loaded, file, os.environ):
        found.append(each)
        if show:
            _show(each)
    return found


def _show(each: "Diagnosed") -> None:
    sign, colour = _SIGNS[each.verdict.value]
    typer.echo(
        f"{typer.style(sign, fg=colour)} {clean(each.name):<{_NAME_WIDTH}} {clean(each.text)}"
    )
    if each.remedy:
        typer.echo(f"  {'':<{_NAME_WIDTH}} {each.remedy}")
