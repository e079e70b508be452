"""Renders what was read as HTML. Blocks for some 10 ms when there are hundreds of targets."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from watchdog.engine.fleet.condition import Condition
from watchdog.engine.fleet.overview import TIMELINE, Overview, Past
from watchdog.engine.settings import Settings
from watchdog.text.phrases import age, ago, ahead, clock_time, signature
from watchdog.text.untrusted import clean
from watchdog.web import words
from watchdog.web.facts import About, facts, headline, limits, living, notes
from watchdog.web.picture import BINS, HEIGHT, spans
from watchdog.web.rows import Asked, Row, counted, rows


class Renderer:
    """Makes whole pages. `marks` tell the versions of the files that they refer to, by name."""

    def __init__(self, about: About, marks: Mapping[str, str]) -> None:
        self._about = about
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
        }
        self._templates.globals |= {
            "marks": marks,
            "version": about.version,
            "words": words,
            "BINS": BINS,
            "HEIGHT": HEIGHT,
        }

    def fleet(self, seen: Overview, asked: Asked, settings: Settings, condition: Condition) -> str:
        every = rows(seen)
        shown = asked.arranged(every)
        return self._render(
            "fleet.html",
            root=".",
            now=seen.now,
            headline=headline(every),
            notes=list(notes(settings, condition, seen)),
            facts=list(facts(self._about, settings, condition, seen)),
            limits=limits(seen),
            replicas=living(seen),
            states=counted(every),
            asked=asked,
            shown=shown,
            total=len(every),
        )

    def target(self, past: Past) -> str:
        row, target = Row(past.watched, past.now, past.history), past.watched.target
        start = past.now - TIMELINE
        return self._render(
            "target.html",
            root="..",
            now=past.now,
            start=start,
            row=row,
            target=target,
            spans=spans(target, past.watched.changes, start, past.now)[::-1],
            episodes=past.episodes,
            attempts=past.history,
            actions=past.actions,
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
