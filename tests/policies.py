"""Writes the tables of policies in docs/simulate.md anew: `make policies`, some minutes. With the
name of a fleet it prints what other defaults would change there."""

import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.generated import with_part
from watchdog.config import Config
from watchdog.simulate.compare import Comparison
from watchdog.simulate.fleet import PRESETS, load_fleet
from watchdog.simulate.run import Policy, presets
from watchdog.simulate.words import columns, paragraph, rows

DOCUMENT = Path(__file__).parents[1] / "docs" / "simulate.md"


def _ours(name: str, **changed: Any) -> Policy:
    return Policy(f"ours, {name}", Config.model_validate(changed))


_OTHER_NUMBERS = (
    _ours("first_delay 2m", policy={"first_delay": "2m"}),
    _ours("first_delay 10m", policy={"first_delay": "10m"}),
    _ours("500 a day", fleet={"max_attempts_per_window": 500}),
)
_CAUSES: dict[str, dict[str, Any]] = {
    "network 15m": {"network_backoff": {"backoff": "15m"}},
    "capacity 30m": {"capacity_backoff": {"backoff": "30m", "backoff_max": "4h"}},
    "capacity 1h": {"capacity_backoff": {"backoff": "1h", "backoff_max": "6h"}},
    "unknown once": {"unknown": "once"},
}
_BREAKERS: tuple[dict[str, Any], ...] = (
    {"cooldown": "5m"},
    {"cooldown": "20m"},
    {"window": "30m"},
    {"max_failures": 10},
)
_POLICIES: tuple[dict[str, Any], ...] = (
    *({"first_delay": wait} for wait in ("1m", "2m", "10m", "15m")),
    *({"max_attempts": most} for most in (3, 5, 6)),
    *({"backoff": wait} for wait in ("10m", "15m")),
    *({"backoff_factor": factor} for factor in (2, 4)),
    {"backoff_max": "3h"},
    {"max_attempts_per_window": 10},
)
_FLEETS: tuple[dict[str, Any], ...] = (
    {"max_attempts_per_window": 150},
    {"max_attempts_per_window": 300},
    {"max_retries_per_minute": 8},
    {"max_in_flight": 20},
)
_TRIED = (
    *(_ours(f"{each}", policy=each) for each in _POLICIES),
    *(_ours(name, policy={"causes": each}) for name, each in _CAUSES.items()),
    *(_ours(f"breaker {each}", fleet={"breaker": each}) for each in _BREAKERS),
    *(_ours(f"fleet {each}", fleet=each) for each in _FLEETS),
)
"""Other defaults than ours."""

_WORLDS = 20
_SEED = 1


def table(fleet: str) -> str:
    """What `baseten-watchdog simulate --fleet NAME` prints, as a table of Markdown, and the default
    policy with other numbers."""
    made = _table(fleet, [*presets().values(), *_OTHER_NUMBERS], _WORLDS)
    return f"{made}\n\n{seal(made, fleet)}"


def seal(made: str, fleet: str) -> str:
    """A line that is another one if the table is, or what the policies do in the first world. All
    worlds take minutes, and this one some seconds."""
    first = _table(fleet, list(presets().values()), 1)
    return f"<!-- seal: {sha256(f'{made}{first}'.encode()).hexdigest()[:16]} -->"


def _table(fleet: str, tried: list[Policy], worlds: int) -> str:
    comparison = Comparison(tried, load_fleet(fleet), _SEED)
    comparison.run(worlds, lambda: None)
    heading, *others = (columns(), ("---",) * len(columns()), *rows(comparison))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heading, *others))


def with_table(text: str, fleet: str, made: str) -> str:
    """The document, with this table of a fleet."""
    return with_part(text, fleet, made, made_by="make policies")


def print_tried(fleet: str) -> None:
    """What each other default that was tried changes, on 20 worlds."""
    comparison = Comparison([presets()["ours"], *_TRIED], load_fleet(fleet), _SEED)
    comparison.run(_WORLDS, lambda: None)
    for line in paragraph(comparison):
        print(line)  # noqa: T201


def _write() -> None:
    tables = {name: table(name) for name in PRESETS}
    text = DOCUMENT.read_text()
    for name, made in tables.items():
        text = with_table(text, name, made)
    DOCUMENT.write_text(text)


if __name__ == "__main__":
    if sys.argv[1:]:
        print_tried(sys.argv[1])
    else:
        _write()
