"""`history`: what the ledger knows of the past, beside a running daemon or without one."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watchdog.cli.console import fail
from watchdog.cli.layout import Column, shorten_end, shorten_middle
from watchdog.cli.model_argument import OptionalModel, configured, resolve
from watchdog.cli.options import ConfigOption, JsonOption, load, parse_since
from watchdog.cli.output import print_json, print_table, say, when, when_in_zone, zone
from watchdog.text.untrusted import clean

if TYPE_CHECKING:
    from watchdog.cli.cut import Listed
    from watchdog.cli.history_lines import Past
    from watchdog.config import Config
    from watchdog.domain.episode_notes import EpisodeNotes
    from watchdog.domain.records import Episode
    from watchdog.engine.ports import LedgerTransaction


def history(
    model: OptionalModel = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="DURATION", help="Only what happened so recently, as 2d."),
    ] = None,
    limit: Annotated[
        int,
        typer.Option(
            min=1,
            help="At most this many of each kind. If a kind has more, the others are cut at the "
            "same time.",
        ),
    ] = 50,
    fleet: Annotated[
        bool, typer.Option("--fleet", help="Show the breaker's openings, canaries and closings.")
    ] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show what happened, newest first.

    That is failures, attempts and what came of them, what was broken, what operators did, and the
    breaker. With MODEL, what happened to that model, and the last lines of its logs.
    """
    from watchdog.cli import fleet_history
    from watchdog.cli.ledger import read

    settings = load(config).config
    if fleet and model is not None:
        fail("--fleet is about all models: leave MODEL out")
    span = None if since is None else parse_since(since)
    past = read(
        settings, lambda tx: _past(tx, settings, model, limit, tx.now() - span if span else None)
    )
    breaker = fleet_history.as_json(past.openings, past.canaries)
    if json:
        from watchdog.cli.history_json import history_json

        print_json(breaker if fleet else history_json(past) | ({} if past.one else breaker))
    elif fleet:
        print_table(
            fleet_history.columns(),
            fleet_history.rows(past.openings, past.canaries, past.start),
            empty="The breaker has not opened in this time.",
        )
    else:
        _print(past)


def _print(past: "Past") -> None:
    columns = (
        Column(zone()),
        Column("model", 4),
        Column("name", 0, shorten_middle, 12),
        Column("what"),
        Column("result"),
        Column("by", 3, shorten_middle, 14),
        Column("detail", 1, shorten_end, 14),
    )
    rows = [
        (when(at), model_id, past.names.get(model_id) or model_id, *more)
        for at, (model_id, *more) in past.lines()
    ]
    shown = [at for at, column in enumerate(columns) if not (past.one and column.heading == "name")]
    print_table(
        [columns[at] for at in shown],
        [[row[at] for at in shown] for row in rows],
        empty="Nothing happened in this time." if past.start else "The ledger has no history yet.",
    )
    if past.cut:
        say("\nOlder entries are left out: --limit shows more.")
    for episode in past.episodes:
        _print_why(episode, past.findings.get(episode.id))


def _print_why(episode: "Episode", finding: "EpisodeNotes | None") -> None:
    if finding is not None and finding.error_lines:
        opened = when_in_zone(episode.opened_at)
        typer.echo(f"\nthe last lines of the logs, failing since {opened}:")
        for line in finding.error_lines:
            typer.echo(f"  {clean(line)}")


_Ended = Callable[[Any], datetime | None]


def _past(
    tx: "LedgerTransaction",
    settings: "Config",
    model: str | None,
    limit: int,
    start: datetime | None,
) -> "Past":
    from watchdog.cli.cut import cut_together
    from watchdog.cli.history_lines import Past

    targets, model_id, most = tx.targets.all(), None, limit + 1
    if model is not None:
        model_id = resolve(model, configured(settings), targets)
    openings, canaries = (
        (tx.breaker.openings(limit=most), tx.breaker.canaries(limit=most))
        if model is None
        else ((), ())
    )
    lists: list[tuple[Listed, _Ended]] = [
        ((tx.episodes.newest(model_id, limit=most), lambda e: e.opened_at), lambda e: e.ended_at),
        (
            (tx.attempts.newest(model_id, limit=most), lambda a: a.reserved_at),
            lambda a: a.resolved_at,
        ),
        ((tx.actions.newest(model_id, limit=most), lambda a: a.at), lambda a: a.at),
        ((tx.breakages.newest(model_id, limit=most), lambda b: b.began_at), lambda b: b.ended_at),
        ((openings, lambda o: o.opened_at), lambda o: o.closed_at),
        ((canaries, lambda c: c.named_at), lambda c: c.ended_at),
    ]
    listed = [each for each, _ in lists]
    found = [
        [each for each in kept if start is None or (ended(each) or start) >= start]
        for kept, (_, ended) in zip(cut_together(*listed, limit=limit), lists, strict=True)
    ]
    episodes, attempts, actions, breakages, openings, canaries = found
    left_out = [at(entries[limit]) for entries, at in listed if len(entries) > limit]
    return Past(
        episodes,
        attempts,
        actions,
        breakages,
        openings,
        canaries,
        findings=tx.findings.of(model_id) if model_id is not None else {},
        names={each.model_id: each.name for each in targets} | dict(configured(settings)),
        start=start,
        cut=any(start is None or at >= start for at in left_out),
        one=model is not None,
    )
