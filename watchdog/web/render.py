"""Renders what was read as HTML. Blocks for some 10 ms, and longer where there are thousands of
targets."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from watchdog.domain.records import TargetState
from watchdog.engine.fleet.condition import Condition
from watchdog.engine.fleet.overview import TIMELINE, Overview, Past
from watchdog.engine.settings import Settings
from watchdog.text.links import logs_link, model_link
from watchdog.text.phrases import age, ago, ahead, clock_time, signature
from watchdog.text.untrusted import clean
from watchdog.web import words
from watchdog.web.activity import Happening, activity, names
from watchdog.web.commands import commands
from watchdog.web.facts import About, Fact, Note, facts, limits, living, notes
from watchdog.web.headline import headline
from watchdog.web.picture import BINS, HEIGHT, spans
from watchdog.web.rows import Asked, Row, counted, part, rows, target_path
from watchdog.web.words import State


@dataclass(frozen=True, slots=True)
class _Whole:
    """What a page shows of all targets, whichever of them it lists."""

    seen: Overview
    rows: list[Row]
    happened: list[Happening]
    states: list[tuple[TargetState, State, int]]

    @classmethod
    def of(cls, seen: Overview) -> "_Whole":
        every = rows(seen)
        return cls(seen, every, activity(seen), counted(every))


@dataclass(frozen=True, slots=True)
class _Told:
    """What a page of the fleet shows that is not in the ledger."""

    headline: str
    facts: list[Fact]
    notes: list[Note]
    app_url: str


@dataclass(frozen=True, slots=True)
class _Made:
    """The last page of the fleet, and what it shows beside the `_Whole`."""

    shows: tuple[Asked, "_Told"]
    text: str


class Renderer:
    """Makes whole pages. `marks` has, by name, the version of each file that the pages refer to."""

    def __init__(self, about: About, marks: Mapping[str, str]) -> None:
        self._about = about
        self._whole: _Whole | None = None
        self._made: _Made | None = None
        self._templates = Environment(
            loader=PackageLoader("watchdog.web"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=_printable,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {
            "age": age,
            "ago": ago,
            "ahead": ahead,
            "iso": clock_time,
            "clock": _clock,
            "signature": signature,
            "target_path": target_path,
        }
        self._templates.globals |= {
            "marks": marks,
            "version": about.version,
            "words": words,
            "model_link": model_link,
            "logs_link": logs_link,
            "BINS": BINS,
            "HEIGHT": HEIGHT,
        }

    def fleet(self, seen: Overview, asked: Asked, settings: Settings, condition: Condition) -> str:
        """The last page is returned again if the same view is asked for and nothing has changed."""
        told = _Told(
            headline(seen, condition),
            list(facts(self._about, settings, condition, seen)),
            list(notes(settings, condition, seen)),
            settings.app_url,
        )
        if self._whole is None or self._whole.seen is not seen:
            self._whole, self._made = _Whole.of(seen), None
        if self._made is None or self._made.shows != (asked, told):
            self._made = _Made((asked, told), self._fleet(self._whole, asked, told))
        return self._made.text

    def _fleet(self, whole: _Whole, asked: Asked, told: _Told) -> str:
        seen = whole.seen
        return self._render(
            "fleet.html",
            root=".",
            now=seen.now,
            headline=told.headline,
            notes=told.notes,
            facts=told.facts,
            app_url=told.app_url,
            limits=limits(seen),
            replicas=living(seen),
            states=whole.states,
            happened=whole.happened,
            names=names(seen),
            asked=asked,
            part=part(asked.arranged(whole.rows), asked.page),
            total=len(whole.rows),
        )

    def target(self, past: Past, app_url: str) -> str:
        row, target = Row(past.watched, past.now, past.history), past.watched.target
        start = past.now - TIMELINE
        return self._render(
            "target.html",
            root="..",
            now=past.now,
            app_url=app_url,
            start=start,
            row=row,
            target=target,
            spans=spans(target, past.watched.changes, start, past.now)[::-1],
            episodes=past.episodes,
            attempts=past.history,
            actions=past.actions,
            commands=list(commands(row, past.actions)),
        )

    def unknown(self, model_id: str) -> str:
        return self._render("unknown.html", root="..", model_id=model_id)

    def away(self, root: str, settings: Settings, condition: Condition) -> str:
        """The ledger does not answer."""
        return self._render(
            "away.html",
            root=root,
            facts=list(facts(self._about, settings, condition, None)),
        )

    def _render(self, name: str, **context: Any) -> str:
        return self._templates.get_template(name).render(context)


def _printable(value: object) -> object:
    """Cleans everything that a template prints: text from outside may hide or reverse the text
    beside it."""
    return clean(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _clock(moment: datetime | None) -> str:
    """A short time for people; the full date stands elsewhere."""
    return "-" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
