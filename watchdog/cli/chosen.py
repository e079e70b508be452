"""The models that an operator's command changes: chosen, listed, and confirmed."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from watchdog.cli.console import fail, warn
from watchdog.cli.layout import Column, shorten_end, shorten_middle
from watchdog.cli.ledger import fail_without_ledger
from watchdog.cli.model_argument import STATUS_LISTS
from watchdog.cli.output import print_table
from watchdog.cli.selection import Named, is_in, is_pattern, select, states, with_teams
from watchdog.cli.shown import Shown, shown
from watchdog.cli.sort import Sort
from watchdog.cli.status_table import name_of, ordered, why
from watchdog.domain.records import Target
from watchdog.domain.status import state_of
from watchdog.engine.fleet.overview import Watched
from watchdog.text.phrases import few_of

if TYPE_CHECKING:
    from watchdog.config import Config
    from watchdog.engine.ports import LedgerTransaction

_COLUMNS = (
    Column("model", 2),
    Column("name", 0, shorten_middle),
    Column("state"),
    Column("status", 1),
    Column("why", 0, shorten_end),
)

_MOST_NAMED = 20
"""So many models are named in a line."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """`several`: the command line may select more models than the user expects, so the command asks
    first. `seen` None: there is no ledger yet, or it cannot be read."""

    model_ids: tuple[str, ...]
    several: bool
    seen: Shown | None

    def confirm(self, act: str, *, yes: bool) -> None:
        """List the models and ask whether to go on. `act` is a verb with what becomes of them: `{}`
        stands for them, and `{they}` and `{their}` for pronouns. Without a terminal the error names
        them."""
        if yes:
            return
        asks = sys.stdin.isatty()
        if self.several and asks:
            self._list()
        count = len(self.model_ids)
        whom = f"these {count} models" if count > 1 else self.model_ids[0]
        if count > 1 and not asks:
            whom += f" ({few_of(self.model_ids, _MOST_NAMED)})"
        they, their = ("they", "their") if count > 1 else ("it", "its")
        confirm(f"{act.format(whom, they=they, their=their)}?", yes=yes)

    def _list(self) -> None:
        """The chosen models, the most urgent first, and last those that the ledger does not
        know."""
        watched = self.seen.watched if self.seen is not None else ()
        now = self.seen.now if self.seen is not None else datetime.now(UTC)
        known = ordered(
            (each for each in watched if each.target.model_id in self.model_ids), Sort.URGENCY, now
        )
        rows = [_row(each) for each in known]
        listed = {each.target.model_id for each in known}
        rows += [(each, each, "-", "-", "-") for each in self.model_ids if each not in listed]
        print_table(_COLUMNS, rows, empty="")


def _row(each: Watched) -> tuple[str, ...]:
    target = each.target
    state = state_of(target).value
    return target.model_id, name_of(each), state, target.status or "-", why(each)


def choose(
    settings: "Config",
    words: Sequence[str] | None,
    state: Sequence[str] | None,
    *,
    own_pauses: bool = False,
    create: bool = False,
) -> Chosen:
    """The models that the words and `--state` select. A mistake ends the command with 2, and a
    selection without a model with 0. With `own_pauses`, the state `paused` also selects models that
    have a pause of their own but are in another state, as those that do not fail. With `create`
    there need be no ledger yet."""
    words, wanted = list(dict.fromkeys(words or [])), states(state)
    seen, targets, problem = _read(settings, create=create)
    found = {target.model_id: target for target in targets}
    known = seen.named() if seen is not None else []
    listed = {each.model_id for each in known}
    known += [Named(each.id, each.name) for each in settings.models if each.id not in listed]
    known = with_teams(settings, words, known)
    ids = [each.model_id for each in known]
    if words:
        ids = select(words, known, targets, otherwise=problem or STATUS_LISTS)
    if wanted:
        pauses = seen.pauses if seen is not None else ()
        also = {each.model_id for each in pauses} if own_pauses and "paused" in wanted else set()
        ids = [
            each for each in ids if each in also or (each in found and is_in(found[each], wanted))
        ]
    if not ids:
        typer.echo("No model is in this state: nothing is changed.")
        raise typer.Exit
    watched = {each.model_id for each in known}
    for each in ids:
        if each not in watched:
            warn(f"{each} is not watched any more")
    titles = {each.name for each in known}
    patterns = any(is_pattern(word) and word not in titles for word in words)
    several = bool(wanted) or len(words) > 1 or len(ids) > 1 or patterns
    return Chosen(tuple(ids), several, seen)


def _read(settings: "Config", *, create: bool) -> tuple[Shown | None, Sequence[Target], str]:
    """What is shown, all targets, and what is wrong with the ledger, which is reported when it is
    opened to write."""
    import asyncio

    from watchdog.app.ledger import read_ledger
    from watchdog.app.setup import NoLedgerError, SetupError

    def both(tx: "LedgerTransaction") -> tuple[Shown, Sequence[Target], str]:
        return shown(tx, settings), tx.targets.all(), ""

    try:
        return asyncio.run(read_ledger(settings, both))
    except NoLedgerError as error:
        if not create:
            fail_without_ledger(error)
        return None, (), "there is no ledger yet, so only configured models are known"
    except SetupError as error:
        return None, (), str(error)


def confirm(question: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        fail(f"{question} There is no terminal to ask on: give --yes")
    typer.confirm(question, abort=True)
