"""`replay`: what another policy would have done in the past that the ledger knows."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watchdog.cli.layout import Column, shorten_end, shorten_middle
from watchdog.cli.ledger import read
from watchdog.cli.model_argument import OptionalModel, configured, resolve
from watchdog.cli.options import ConfigOption, JsonOption, load, parse_since
from watchdog.cli.output import print_json, print_table, say, when, zone
from watchdog.text.phrases import age, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from watchdog.config import Config
    from watchdog.domain.records import Attempt, Policy
    from watchdog.engine.ports import LedgerTransaction
    from watchdog.simulate.past import Past, Replayed

_MOST = 1_000_000
"""More rows than a ledger has."""


def replay(
    model: OptionalModel = None,
    config: ConfigOption = None,
    since: Annotated[str, typer.Option(help="How far back.")] = "30d",
    json: JsonOption = False,
) -> None:
    """Say what this configuration would have done with the failures that its ledger knows. What
    nobody can know is said to be unknown."""
    from watchdog.simulate.replay import Replay
    from watchdog.simulate.rules import effective

    span, settings = parse_since(since), load(config).config
    wanted, past, rules, watched = read(settings, lambda tx: _read(tx, settings, model, span))
    near = effective(settings, watched) + timedelta(seconds=15)
    found = Replay(past, rules, settings.fleet_limits(), near).run()
    shown = [each for each in found if wanted in (None, each.episode.model_id)]
    if json:
        print_json([as_json(each) for each in shown])
        return
    if not shown:
        say("The ledger knows no failure in this time.")
        return
    print_table(columns(), [cells(each) for each in reversed(shown)], empty="")
    for line in ("", *totals(shown)):
        say(line)


def _read(
    tx: "LedgerTransaction", settings: "Config", model: str | None, span: timedelta
) -> "tuple[str | None, Past, dict[str, Policy], int]":
    """The id of the wanted model, the past, the policy of each model in it, and how many models are
    watched. The policy of a discovered model depends on its name and team."""
    from watchdog.config import only, policies
    from watchdog.engine.fleet import discovered

    targets = tx.targets.all()
    wanted = None if model is None else resolve(model, configured(settings), targets)
    past, found = read_past(tx, span), discovered.load(tx)
    ids = {episode.model_id for episode in past.episodes}
    rules = {id_: policies(only(settings, id_, found.get(id_)))[id_] for id_ in ids}
    return wanted, past, rules, sum(each.watched for each in targets)


def read_past(tx: "LedgerTransaction", span: timedelta) -> "Past":
    """The episodes that opened within this span before now, and what belongs to them."""
    from watchdog.simulate.past import Past, sent_or_refused

    now = tx.now()
    since = now - span
    episodes = [each for each in tx.episodes.newest(None, limit=_MOST) if each.opened_at >= since]
    ids = {each.id for each in episodes}
    own: list[Attempt] = []
    earlier: list[Attempt] = []
    for each in tx.attempts.newest(None, limit=_MOST):
        (own if each.episode_id in ids else earlier).append(each)
    return Past(
        episodes=sorted(episodes, key=lambda each: (each.opened_at, each.id)),
        attempts=sent_or_refused(own),
        earlier=sent_or_refused(earlier),
        changes=tx.statuses.since(since),
        openings=tx.breaker.openings(limit=_MOST),
        canaries=sorted(tx.breaker.canaries(limit=_MOST), key=lambda each: each.named_at),
        now=now,
    )


def columns() -> tuple[Column, ...]:
    return (
        Column(f"opened {zone()}"),
        Column("model", 0, shorten_middle, 12),
        Column("was", 3),
        Column("result", 2),
        Column("would"),
        Column("verdict"),
        Column("detail", 1, shorten_end, 14),
    )


def cells(replayed: "Replayed") -> tuple[str, ...]:
    episode = replayed.episode
    would = _retries(len(replayed.sent))
    if replayed.unknown_at is not None:
        would += ", then unknown"
    return (
        when(episode.opened_at),
        episode.model_id,
        _retries(replayed.was),
        episode.result.value if episode.result is not None else "open",
        would,
        replayed.verdict.value,
        _detail(replayed),
    )


def _retries(count: int) -> str:
    return counted(count, "retry", "retries")


def _detail(replayed: "Replayed") -> str:
    opened = replayed.episode.opened_at
    parts = []
    if replayed.unknown_at is not None:
        parts.append(f"a retry {age(replayed.unknown_at - opened)} after it opened")
    if replayed.gave_up_at is not None:
        parts.append(f"gives up after {age(replayed.gave_up_at - opened)}: {replayed.gave_up}")
    longest: dict[str, timedelta] = {}
    for held in replayed.held:
        longest[held.reason] = longest.get(held.reason, timedelta()) + (held.until - held.since)
    parts += [f"{reason} for {age(span)}" for reason, span in longest.items()]
    return "; ".join(parts)


def totals(found: "Sequence[Replayed]") -> tuple[str, str]:
    from watchdog.simulate.past import Verdict

    counts = {verdict: sum(each.verdict is verdict for each in found) for verdict in Verdict}
    words = "; ".join(
        f"{count} {verdict.value}: {verdict.sentence}" for verdict, count in counts.items() if count
    )
    was, would = sum(each.was for each in found), sum(len(each.sent) for each in found)
    return (
        f"{counted(len(found), 'episode')}. {words}.",
        f"{_retries(was)} {'was' if was == 1 else 'were'} sent; {would} of these would be.",
    )


def as_json(replayed: "Replayed") -> dict[str, Any]:
    episode = replayed.episode
    return {
        "episode_id": episode.id,
        "model_id": episode.model_id,
        "opened_at": episode.opened_at,
        "result": episode.result,
        "was_sent": replayed.was,
        "would_send_at": replayed.sent,
        "unknown_at": replayed.unknown_at,
        "gave_up_at": replayed.gave_up_at,
        "gave_up": replayed.gave_up,
        "held": [
            {"reason": each.reason, "since": each.since, "until": each.until}
            for each in replayed.held
        ],
        "verdict": replayed.verdict,
    }
