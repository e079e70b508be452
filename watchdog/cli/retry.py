"""`retry`: one attempt, on an operator's order."""

import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from watchdog.cli.console import EXIT_API, fail
from watchdog.cli.model_argument import ModelArgument, configured, resolve
from watchdog.cli.operate import NoteOption, YesOption, confirm, who
from watchdog.cli.options import ConfigOption, load
from watchdog.domain.reasons import Scope
from watchdog.domain.records import Attempt, DecisionKind, Outcome, Resolution, Target
from watchdog.text.phrases import age, ahead
from watchdog.text.untrusted import clean

if TYPE_CHECKING:
    from watchdog.config import Config

EXIT_NOT_RETRIED = 1


def retry(
    model: ModelArgument,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Pass the model's own limits, delays and pause; never the fleet's."
        ),
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its result.")] = False,
    note: NoteOption = "",
    yes: YesOption = False,
    config: ConfigOption = None,
) -> None:
    """Retry a failed deployment now, under the same limits as the daemon.

    Exit status: 0 retried, and with --wait recovered; 1 not; 2 wrong usage or configuration;
    3 the API could not be asked.
    """
    settings = load(config).config
    model_id = resolve(model, configured(settings), _past(settings))
    if force:
        confirm(f"Retry {model_id} beyond its own limits?", yes=yes)
    only = settings.only(model_id)
    attempt = _attempt(only, force=force, note=note)
    if wait and attempt.under_way:
        attempt = _follow(only, attempt)
        typer.echo(f"{model_id}: {attempt.resolution or attempt.outcome}")
        raise typer.Exit(0 if attempt.resolution is Resolution.RECOVERED else EXIT_NOT_RETRIED)
    retried = attempt.outcome in (Outcome.ACCEPTED, Outcome.UNKNOWN, Outcome.DRY_RUN)
    raise typer.Exit(0 if retried else EXIT_NOT_RETRIED)


def _past(settings: "Config") -> Sequence[Target]:
    """The ledger's targets: a daemon may have got its models from its command line."""
    from watchdog.app.commands import read_ledger
    from watchdog.app.parts import SetupError

    try:
        return asyncio.run(read_ledger(settings, lambda tx: tx.targets.all()))
    except SetupError:
        return ()  # Any problem of the ledger is reported when it is opened to write.


def _attempt(settings: "Config", *, force: bool, note: str) -> Attempt:
    """The attempt that was made. If there is none, it prints why and exits."""
    from watchdog.app.operate import retry_once
    from watchdog.app.parts import SetupError

    try:
        tried = asyncio.run(retry_once(settings, os.environ, forced=force, who=who(), note=note))
    except SetupError as error:
        fail(str(error))
    target, attempt = tried.target, tried.attempt
    if attempt is None and tried.error is not None:
        typer.echo(f"{target.model_id}: not retried: {tried.error}", err=True)
        raise typer.Exit(EXIT_API)
    if attempt is None:
        typer.echo(
            f"{target.model_id}: not retried: {_why(target, tried.now, forced=force)}", err=True
        )
        raise typer.Exit(EXIT_NOT_RETRIED)
    reason = f": {clean(attempt.reason)}" if attempt.reason else ""
    typer.echo(f"{target.model_id}: {attempt.outcome}{reason}")
    return attempt


def _why(target: Target, now: datetime, *, forced: bool) -> str:
    decision = target.decision
    until = f", {ahead(decision.until, now)}" if decision.until else ""
    reason = decision.reason
    own = decision.kind is DecisionKind.GIVE_UP or (reason and reason.scope is Scope.MODEL)
    hint = " (--force passes the model's own limits)" if own and not forced else ""
    return f"{reason}{until}{hint}"


def _follow(settings: "Config", attempt: Attempt) -> Attempt:
    from watchdog.app.operate import follow
    from watchdog.app.parts import SetupError

    live, shown = sys.stderr.isatty(), [""]

    def progress(target: Target, now: datetime) -> None:
        status = clean(target.status or "-")
        if live:
            waited = age(now - attempt.reserved_at)
            sys.stderr.write(f"\r\x1b[K{target.model_id}: {status}, {waited}")
            sys.stderr.flush()
        elif status != shown[0]:
            sys.stderr.write(f"{target.model_id}: {status}\n")
        shown[0] = status

    try:
        return asyncio.run(follow(settings, os.environ, attempt, progress))
    except KeyboardInterrupt:
        typer.echo("the retry goes on: `status` shows what becomes of it", err=True)
        raise
    except SetupError as error:
        fail(str(error))
    finally:
        if live:
            sys.stderr.write("\r\x1b[K")
