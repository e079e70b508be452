"""Which of the models that the API lists are watched."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

ROUNDS = 2
"""A model is no longer watched when this many whole listings in a row lack it: a single listing may
be incomplete for a temporary reason."""


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model as the API lists it. Names are not unique."""

    id: str
    name: str
    team: str
    has_development: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """The models that the API lists, each once, and how many entries of the list could not be read.
    Which models those entries are about is not known."""

    models: tuple[ListedModel, ...]
    unreadable: int = 0

    @property
    def whole(self) -> bool:
        """Whether a model that is not in the listing certainly does not exist. An empty listing
        proves nothing."""
        return bool(self.models) and not self.unreadable


@dataclass(frozen=True, slots=True)
class DiscoveryRules:
    """Patterns: see `matches`. A model that is excluded is not watched, even if another pattern
    includes it."""

    include: tuple[str, ...]
    exclude: tuple[str, ...] = ()

    def included_by(self, model: ListedModel) -> str | None:
        return first_match(self.include, model.id, model.name, model.team)

    def excluded_by(self, model: ListedModel) -> str | None:
        return first_match(self.exclude, model.id, model.name, model.team)

    def wants(self, model: ListedModel) -> bool:
        return self.included_by(model) is not None and self.excluded_by(model) is None

    @property
    def want_none(self) -> bool:
        """Whether the patterns alone show that no model can be wanted."""
        return all(
            any(_covers(wider, pattern) for wider in self.exclude) for pattern in self.include
        )


@dataclass(frozen=True, slots=True)
class Discovered:
    """A model that is watched because it was listed, and how many whole listings in a row have
    lacked it since."""

    name: str
    team: str
    missed: int = 0


def still_wanted(
    known: Mapping[str, Discovered], rules: DiscoveryRules
) -> Mapping[str, Discovered]:
    """The known models that the rules still include: the rules may have changed since the last
    listing."""
    return {
        model_id: model
        for model_id, model in known.items()
        if rules.wants(ListedModel(model_id, model.name, model.team, has_development=True))
    }


def after_listing(
    known: Mapping[str, Discovered], listing: Listing, rules: DiscoveryRules
) -> Mapping[str, Discovered]:
    """The discovered models after one more listing. A listing that is not whole adds models and
    removes none."""
    wanted = {
        model.id: Discovered(model.name, model.team)
        for model in listing.models
        if model.has_development and rules.wants(model)
    }
    if not listing.whole:
        return {**known, **wanted}
    unwanted = {model.id for model in listing.models if not rules.wants(model)}
    kept = {
        model_id: replace(model, missed=model.missed + 1)
        for model_id, model in known.items()
        if model_id not in unwanted and model.missed + 1 < ROUNDS
    }
    return kept | wanted


def matches(pattern: str, model_id: str, name: str | None, team: str | None) -> bool:
    """The one rule by which a pattern selects a model. A pattern with a slash is compared with
    `team/name`, one without with the name; `*`, `?` and `[...]` are a shell's. A whole id selects
    its model too. A pattern with `*` is not compared with the id of a model that has a name: ids
    are random, so `a*` would select models by chance."""
    if pattern == model_id:
        return True
    text = f"{team}/{name or model_id}" if "/" in pattern else name or model_id
    return ("/" not in pattern or team is not None) and fnmatchcase(text, pattern)


def _covers(wider: str, pattern: str) -> bool:
    """Whether one pattern certainly matches each model that the other one does. Only its `*` are
    understood, and a pattern without `*` may be an id, which another pattern is not compared
    with."""
    if wider in (pattern, "*", "*/*"):
        return True
    alike = ("/" in wider) == ("/" in pattern) and not set("?[]") & set(wider)
    return alike and "*" in pattern and fnmatchcase(pattern, wider)


def first_match(
    patterns: Iterable[str], model_id: str, name: str | None, team: str | None
) -> str | None:
    """The first of the patterns that selects the model."""
    return next((each for each in patterns if matches(each, model_id, name, team)), None)
