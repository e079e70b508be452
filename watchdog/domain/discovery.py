"""Which of the models that the API lists are watched."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

ROUNDS = 2
"""A model is no longer watched when this many whole listings in a row lack it: a single listing may
be incomplete for a passing reason."""


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
        """Whether a model that the listing lacks surely does not exist. An empty list is no
        proof."""
        return bool(self.models) and not self.unreadable


@dataclass(frozen=True, slots=True)
class DiscoveryRules:
    """Patterns as a shell's: one with a slash is compared with `team/name`, one without with the
    name alone. What is excluded is not watched, whatever includes it."""

    include: tuple[str, ...]
    exclude: tuple[str, ...] = ()

    def included_by(self, model: ListedModel) -> str | None:
        return _first(self.include, model)

    def excluded_by(self, model: ListedModel) -> str | None:
        return _first(self.exclude, model)

    def wants(self, model: ListedModel) -> bool:
        return self.included_by(model) is not None and self.excluded_by(model) is None


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


def _first(patterns: Iterable[str], model: ListedModel) -> str | None:
    return next((pattern for pattern in patterns if _matches(pattern, model)), None)


def _matches(pattern: str, model: ListedModel) -> bool:
    text = f"{model.team}/{model.name}" if "/" in pattern else model.name
    return fnmatchcase(text, pattern)
