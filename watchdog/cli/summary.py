"""The fleet in one line."""

from collections.abc import Iterable

from watchdog.cli.output import drawn
from watchdog.domain.records import Target
from watchdog.engine.fleet.groups import Group, groups


def summary(targets: Iterable[Target], *more: str) -> str:
    """How many models there are of each group, and what concerns them all."""
    counts = groups(targets)
    total = counts.total()
    counted = ", ".join(_counted(group, counts[group]) for group in Group if counts[group])
    models = f"{total} model{'' if total == 1 else 's'}: {counted}"
    return f" {drawn('·', '-')} ".join((models, *filter(None, more)))


def _counted(group: Group, count: int) -> str:
    words = {Group.NEEDS_YOU: "needs you" if count == 1 else "need you"}
    return f"{count} {words.get(group, group.value.replace('_', ' '))}"
