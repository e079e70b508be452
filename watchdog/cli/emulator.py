"""`baseten-watchdog emulator`: a management API to try the watchdog against."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watchdog.cli.console import fail
from watchdog.text.duration import format_duration
from watchdog.text.secret import stripped

if TYPE_CHECKING:
    from watchdog.emulator import Emulator, Scenario
    from watchdog.emulator.scenario import Deploy

DEFAULT_PORT = 9465
"""The one after the watchdog's own."""


def emulator(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free port.")] = DEFAULT_PORT,
    api_key: Annotated[
        str,
        typer.Option(
            envvar="BASETEN_API_KEY",
            show_default=False,
            help="The key to accept: any text will do.",
        ),
    ] = "",
    scenario: Annotated[
        Path | None, typer.Option(help="A scenario file.", show_default="the built-in one")
    ] = None,
    time_scale: Annotated[
        float, typer.Option(help="How many scenario seconds pass in one second.")
    ] = 1.0,
) -> None:
    """Serve a Baseten management API whose models follow a scenario.

    To try a configuration, a policy or an alert without an account, a model or costs. A scenario
    may have faults, from late answers to lost ones: see config/storm.yaml.
    """
    import asyncio

    from watchdog.emulator import Emulator, ScenarioError, load_scenario

    api_key = stripped(api_key)
    if not api_key:
        fail("no API key: set BASETEN_API_KEY or give --api-key (any text will do)")
    try:
        loaded = load_scenario(scenario)
        server = Emulator(loaded, api_key=api_key, host=host, port=port, time_scale=time_scale)
    except ScenarioError as error:
        fail(*error.problems)
    except ValueError as error:
        fail(f"--time-scale: {error}")
    asyncio.run(_serve(server, loaded))


async def _serve(server: "Emulator", scenario: "Scenario") -> None:
    import asyncio
    import signal
    from contextlib import AsyncExitStack

    from watchdog.cli.layout import Column, shorten_end, shorten_middle
    from watchdog.cli.output import print_table

    stopped = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, stopped.set)
    async with AsyncExitStack() as running:
        try:
            await running.enter_async_context(server)
        except OSError as error:
            fail(
                f"cannot listen on {server.url}: {error.strerror}; choose another --port or --host"
            )
        print_table(
            (
                Column("model"),
                Column("name", 0, shorten_middle),
                Column("deploy", 1),
                Column("goes through", 0, shorten_end),
            ),
            list(_rows(scenario)),
            empty="The scenario has no models.",
        )
        typer.echo(f"\nA Baseten management API is on {server.url} until Ctrl-C.")
        typer.echo("To let the watchdog use it, with the same BASETEN_API_KEY:")
        typer.echo(f"  export BASETEN_WATCHDOG_BASETEN__BASE_URL={server.url}")
        await stopped.wait()


def _rows(scenario: "Scenario") -> Iterator[tuple[str, str, str, str]]:
    """One line for each deploy, and one for the answer to retries that are refused."""
    for model in scenario.models:
        for number, deploy in enumerate(model.deploys, start=1):
            again = " and on" if number == len(model.deploys) else ""
            yield model.id, model.name, f"{number}{again}", _text(deploy)
        if not model.deploys:
            yield model.id, model.name, "none", ""
        if model.refuses is not None:
            yield model.id, model.name, "retry", f"refused: {model.refuses}"


def _text(deploy: "Deploy") -> str:
    return ", ".join(
        step.status if step.lasts is None else f"{step.status} {format_duration(step.lasts)}"
        for step in deploy.steps
    )
