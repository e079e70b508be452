"""`retry`: one attempt, on an operator's order."""

import os
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from watchdog.cli.console import EXIT_API, fail, fail_unanswered
from watchdog.cli.ledger import fail_without_ledger
from watchdog.cli.options import (
    ByOption,
    ConfigOption,
    CreateOption,
    NoteOption,
    YesOption,
    load,
)
from watchdog.cli.selection import ModelsArgument, StateOption
from watchdog.text.phrases import age, ahead
from watchdog.text.untrusted import clean

if TYPE_CHECKING:
    from watchdog.config import Config
    from watchdog.domain.records import Attempt, Target

EXIT_NOT_RETRIED = 1


def retry(
    models: ModelsArgument = None,
    state: StateOption = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Ignore the model's own limits, delays and pause. The fleet's limits always hold.",
        ),
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the results.")] = False,
    note: NoteOption = "",
    by: ByOption = "",
    create: CreateOption = False,
    yes: YesOption = False,
    config: ConfigOption = None,
) -> None:
    """Retry failed deployments now, one after the other, under the same limits as the daemon.

    Exit status: 0 all retried, and with --wait recovered; 1 some not; 2 wrong usage,
    configuration or key; 3 the API could not be asked about some, and the others were retried.
    """
    from watchdog.cli.chosen import choose

    settings = load(config).config
    if not (models or state):
        fail("name a MODEL, or give --state")
    chosen = choose(settings, models, state, create=create)
    if chosen.several or force:
        chosen.confirm("Retry {}" + (" beyond {their} own limits" if force else ""), yes=yes)
    codes = []
    attempts: list[tuple[Config, Attempt]] = []
    for model_id in chosen.model_ids:
        only = _only(settings, model_id)
        code, attempt = _attempt(only, force=force, by=by, note=note, create=create)
        if wait and attempt is not None and attempt.under_way:
            attempts.append((only, attempt))
        else:
            codes.append(code)
    codes += [_result(only, attempt) for only, attempt in attempts]
    raise typer.Exit(EXIT_NOT_RETRIED if EXIT_NOT_RETRIED in codes else max(codes))


def _only(settings: "Config", model_id: str) -> "Config":
    """The configuration of that model alone. Which rule applies to a model that is discovered
    depends on its name and team, so the API is asked for them."""
    import asyncio

    from watchdog.app.commands import find_listed
    from watchdog.app.setup import SetupError
    from watchdog.config import only
    from watchdog.engine.ports import ApiError

    configured_ids = {model.id for model in settings.models}
    if settings.discovery is None or not settings.rules or model_id in configured_ids:
        return only(settings, model_id)
    try:
        found = asyncio.run(find_listed(settings, os.environ, model_id))
    except SetupError as error:
        fail(str(error))
    except ApiError as error:
        fail_unanswered(error, f"which rule applies to {model_id} is not known")
    return only(settings, model_id, found)


def _attempt(
    settings: "Config", *, force: bool, by: str, note: str, create: bool
) -> "tuple[int, Attempt | None]":
    """The exit status, and the attempt if one was made. Prints what came of it."""
    import asyncio

    from watchdog.app.operate import retry_once
    from watchdog.app.setup import NoLedgerError, SetupError
    from watchdog.domain.records import Outcome
    from watchdog.engine.ports import Denied, LedgerUnavailable

    try:
        tried = asyncio.run(
            retry_once(settings, os.environ, forced=force, who=by, note=note, make=create)
        )
    except NoLedgerError as error:
        fail_without_ledger(error)
    except SetupError as error:
        fail(str(error))
    target, attempt = tried.target, tried.attempt
    if attempt is None and isinstance(tried.error, LedgerUnavailable):
        fail(f"{target.model_id}: not retried: {tried.error}")
    if attempt is None and isinstance(tried.error, Denied):
        fail_unanswered(tried.error, f"{target.model_id}: not retried")
    if attempt is None:
        why = tried.error or _why(target, tried.now, forced=force)
        typer.echo(f"{target.model_id}: not retried: {why}", err=True)
        return EXIT_API if tried.error is not None else EXIT_NOT_RETRIED, None
    reason = f": {clean(attempt.reason)}" if attempt.reason else ""
    typer.echo(f"{target.model_id}: {attempt.outcome}{reason}")
    retried = attempt.outcome in (Outcome.ACCEPTED, Outcome.UNKNOWN, Outcome.DRY_RUN)
    return 0 if retried else EXIT_NOT_RETRIED, attempt


def _result(settings: "Config", attempt: "Attempt") -> int:
    """Wait for the end of an attempt; the exit status."""
    from watchdog.domain.records import Resolution

    attempt = _follow(settings, attempt)
    typer.echo(f"{attempt.model_id}: {attempt.resolution or attempt.outcome}")
    return 0 if attempt.resolution is Resolution.RECOVERED else EXIT_NOT_RETRIED


def _why(target: "Target", now: datetime, *, forced: bool) -> str:
    from watchdog.domain.reasons import Scope
    from watchdog.domain.records import DecisionKind

    decision = target.decision
    until = f", {ahead(decision.until, now)}" if decision.until else ""
    reason = decision.reason
    own = decision.kind is DecisionKind.GIVE_UP or (reason and reason.scope is Scope.MODEL)
    hint = " (--force ignores the model's own limits)" if own and not forced else ""
    return f"{reason}{until}{hint}"


def _follow(settings: "Config", attempt: "Attempt") -> "Attempt":
    import asyncio

    from watchdog.app.operate import follow
    from watchdog.app.setup import SetupError

    live, shown = sys.stderr.isatty(), [""]

    def progress(target: "Target", now: datetime) -> None:
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
