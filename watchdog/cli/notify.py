"""`notify test`: whether the receivers of notifications can be reached."""

from typing import Annotated

import typer

from watchdog.cli.console import fail
from watchdog.cli.examples import epilog
from watchdog.cli.options import ConfigOption, JsonOption, load
from watchdog.cli.output import print_json
from watchdog.cli.usage import FoldedHelp, Group
from watchdog.text.untrusted import clean

notify_app = typer.Typer(
    cls=Group, help="Try the receivers of notifications.", no_args_is_help=True
)


@notify_app.callback()
def _group() -> None: ...


@notify_app.command("test", cls=FoldedHelp, epilog=epilog("notify test"))
def send_sample(
    config: ConfigOption = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--to", metavar="NAME", help="Only the receiver of this name; may be repeated."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Send a sample to each receiver, and print what each answered.

    Exit status: 0 all took it; 1 one did not; 2 wrong usage or configuration.
    """
    loaded = load(config)
    names = [each.name for each in loaded.config.notify]
    if not names:
        fail("notify: no receivers are configured")
    for name in to or ():
        if name not in names:
            fail(f"there is no receiver {clean(name)}: there are {', '.join(names)}")
    import asyncio

    from watchdog.app.notifying import send_samples

    answers = asyncio.run(send_samples(loaded.config, to or ()))
    if json:
        print_json(
            {
                "receivers": [
                    {"name": name, "sent": each.sent, "answer": each.answer}
                    for name, each in answers
                ]
            }
        )
    else:
        for name, each in answers:
            typer.echo(f"{name}: {'sent' if each.sent else 'not sent'}: {each.answer}")
    if not all(each.sent for _, each in answers):
        raise typer.Exit(1)
