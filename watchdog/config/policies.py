"""Which policy each model has: the common one, overridden by that of a rule, overridden by the
model's own."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from watchdog.config.model import Config, Model
from watchdog.config.policy_rules import PolicyOverrides, PolicyRules
from watchdog.domain.discovery import Discovered, ListedModel, first_match
from watchdog.domain.records import Policy, Standing


def rule_of(config: Config, model_id: str, name: str | None, team: str | None) -> int | None:
    """Which of `rules` applies to a model: the number of the first that matches."""
    return next(
        (
            number
            for number, rule in enumerate(config.rules)
            if first_match(rule.match, model_id, name, team) is not None
        ),
        None,
    )


def rule_of_configured(config: Config, model: Model) -> int | None:
    """The rule for a model that the file names. Only what the file says of the model is compared,
    so that no answer of the API changes how it is retried."""
    return rule_of(config, model.id, model.name, model.team)


def with_rule(config: Config, number: int | None) -> PolicyRules:
    """The common policy with what a rule says on top of it."""
    return config.policy if number is None else _on_top(config.policy, config.rules[number].policy)


def rules_of(config: Config, model: Model) -> PolicyRules:
    """The whole policy of a configured model, with its rule and its own keys."""
    return _on_top(with_rule(config, rule_of_configured(config, model)), model.policy)


def all_rules(config: Config) -> Iterator[tuple[str, PolicyRules]]:
    """The common rules, those with each rule and those of each model with own ones, and their
    paths in the configuration."""
    yield "policy", config.policy
    for number in range(len(config.rules)):
        yield f"rules[{number}].policy", with_rule(config, number)
    for number, model in enumerate(config.models):
        if model.policy.model_fields_set:
            yield f"models[{number}].policy", rules_of(config, model)


def policies(config: Config) -> Mapping[str, Policy]:
    """The policy of each configured model, by id."""
    shared = _shared(config)  # one object for all models without own rules
    return {
        model.id: _policy(config, rules_of(config, model))
        if model.policy.model_fields_set
        else shared[rule_of_configured(config, model)]
        for model in config.models
    }


def discovered_policies(config: Config, known: Mapping[str, Discovered]) -> Mapping[str, Policy]:
    """The policy of each discovered model, by id. The file does not name it, so a failure that is
    there when it is first seen may be intended and is not retried, unless the file says
    otherwise."""
    shared = {
        number: policy
        if _chooses_standing(config, number)
        else replace(policy, standing=Standing.IGNORE)
        for number, policy in _shared(config).items()
    }
    return {
        model_id: shared[rule_of(config, model_id, model.name, model.team)]
        for model_id, model in known.items()
    }


def only(config: Config, model_id: str, found: Discovered | None = None) -> Config:
    """The configuration for one model. `found` is what the API lists of a model that the file does
    not name; it has the policy of a discovered one where models are discovered."""
    models = tuple(model for model in config.models if model.id == model_id)
    if not models:
        name, team = (found.name, found.team) if found is not None else (None, None)
        number = rule_of(config, model_id, name, team)
        ignores = config.discovery is not None and not _chooses_standing(config, number)
        own = PolicyOverrides(standing=Standing.IGNORE) if ignores else PolicyOverrides()
        # Not validated: the API's names keep to other rules than those of the file.
        models = (Model.model_construct(id=model_id, name=name, team=team, policy=own),)
    return config.model_copy(update={"models": models, "discovery": None})


def overlooked(config: Config, listed: Iterable[ListedModel]) -> list[str]:
    """A line for each rule that would apply to configured models by what the API lists of them, and
    does not, since the configuration leaves out their names or teams."""
    found = {model.id: model for model in listed}
    missed: dict[int, list[ListedModel]] = {}
    for model in config.models:
        if (seen := found.get(model.id)) is None:
            continue
        name, team = model.name or seen.name, model.team or seen.team
        number = rule_of(config, model.id, name, team)
        if number is not None and number != rule_of_configured(config, model):
            missed.setdefault(number, []).append(seen)
    return [
        f"rules[{number}]: does not apply to {_some(models)}, since `models` does not give the "
        "name or team that it matches"
        for number, models in sorted(missed.items())
    ]


def _some(models: Sequence[ListedModel]) -> str:
    first = models[0]
    more = f" and {len(models) - 1} more" if len(models) > 1 else ""
    return f"{first.id} ({first.team}/{first.name}){more}"


def _shared(config: Config) -> dict[int | None, Policy]:
    """The policy under each rule, and without one."""
    numbers = (None, *range(len(config.rules)))
    return {number: _policy(config, with_rule(config, number)) for number in numbers}


def _chooses_standing(config: Config, number: int | None) -> bool:
    rule = () if number is None else (config.rules[number].policy,)
    return any("standing" in each.model_fields_set for each in (config.policy, *rule))


def _on_top(below: PolicyRules, above: PolicyOverrides) -> PolicyRules:
    own = {name: getattr(above, name) for name in above.model_fields_set}
    if "causes" in own:  # In `causes` too, each key is from the highest layer that has it.
        chosen = {name: getattr(above.causes, name) for name in above.causes.model_fields_set}
        own["causes"] = below.causes.model_copy(update=chosen)
    return below.model_copy(update=own)


def _policy(config: Config, rules: PolicyRules) -> Policy:
    given = {name: getattr(rules, name) for name in PolicyRules.model_fields}
    times = rules.allowed_times
    compiled = {
        "retry_on": frozenset(rules.retry_on),
        "allowed_times": None if times is None else times.compiled(),
        # Without a diagnosis every cause is unknown, and nothing waits for one.
        "causes": rules.causes.compiled() if config.diagnose else {},
    }
    return Policy(**given | compiled)
