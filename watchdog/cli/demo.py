"""`demo`: the real daemon beside an emulated Baseten, for 45 seconds."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Stay until Ctrl-C, to look at the page.")
    ] = False,
    svg: Annotated[
        Path | None, typer.Option(hidden=True, help="Write a picture of the screen at half-time.")
    ] = None,
) -> None:
    """Watch it work: an emulated Baseten and the real daemon, for under a minute."""
    from watchdog.cli.demo_screen import play

    play(svg, keep=keep)
