"""Which policy each model has: the common one, then that of a rule, then the model's own."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.app.parts import make_settings
from watchdog.config import Config, discovered_policies, only, policies
from watchdog.config.policies import overlooked, rule_of, rules_of
from watchdog.domain.discovery import Discovered, ListedModel
from watchdog.domain.records import Standing

RULES = [
    {"match": ["team-a/*", "llama-*"], "policy": {"max_attempts": 2}},
    {"match": ["abc*"], "policy": {"max_attempts": 1, "standing": "ignore"}},
    {"match": ["team-*/*"], "policy": {"max_attempts": 3}},
]


def config(**settings: Any) -> Config:
    return Config.model_validate(settings)


@pytest.mark.parametrize(
    ("model", "rule"),
    [
        ({"id": "x", "name": "whisper", "team": "team-a"}, 0),
        ({"id": "x", "name": "llama-8b", "team": "team-b"}, 0),
        ({"id": "x", "name": "whisper", "team": "team-b"}, 2),
        ({"id": "x", "name": "whisper"}, None),
        ({"id": "abc1"}, 1),
        ({"id": "abc1", "name": "llama-8b"}, 0),
        ({"id": "abc1", "team": "team-b"}, 1),
        ({"id": "x", "team": "team-a"}, 0),
    ],
)
def test_the_first_rule_that_matches_counts(model: dict[str, str], rule: int | None) -> None:
    asked = config(models=[model], rules=RULES)
    attempts = {None: 4, 0: 2, 1: 1, 2: 3}[rule]
    assert rule_of(asked, model["id"], model.get("name"), model.get("team")) == rule
    assert [policy.max_attempts for policy in policies(asked).values()] == [attempts]


def test_a_rule_goes_before_the_common_policy_and_a_models_own_before_the_rule() -> None:
    asked = config(
        policy={"max_attempts": 5, "jitter": 0.1, "standing": "ignore"},
        rules=[{"match": ["*"], "policy": {"max_attempts": 3, "backoff": "1m", "jitter": 0.2}}],
        models=[{"id": "a", "policy": {"jitter": 0.3}}, {"id": "b"}],
    )
    found = policies(asked)
    assert [(found[at].max_attempts, found[at].jitter) for at in "ab"] == [(3, 0.3), (3, 0.2)]
    assert {each.backoff.seconds for each in found.values()} == {60}
    assert {each.standing for each in found.values()} == {Standing.IGNORE}


LAYER = st.fixed_dictionaries(
    {},
    optional={
        "max_attempts": st.integers(1, 6),
        "jitter": st.sampled_from([0.0, 0.25]),
        "standing": st.sampled_from(["retry", "ignore"]),
    },
)


@given(LAYER, LAYER, LAYER)
def test_each_key_is_from_the_highest_layer_that_has_it(
    common: dict[str, Any], rule: dict[str, Any], own: dict[str, Any]
) -> None:
    asked = config(
        policy=common,
        rules=[{"match": ["nobody"], "policy": own}, {"match": ["a"], "policy": rule}],
        models=[{"id": "a", "policy": own}],
    )
    merged = rules_of(asked, asked.models[0])
    wanted = {**common, **rule, **own}
    assert {name: getattr(merged, name) for name in wanted} == wanted
    assert policies(asked)["a"].max_attempts == wanted.get("max_attempts", 4)


def test_of_the_causes_too_each_key_is_from_the_highest_layer_that_has_it() -> None:
    asked = config(
        policy={"causes": {"memory": "never", "platform": "never", "timeout": "never"}},
        rules=[{"match": ["*"], "policy": {"causes": {"platform": "once", "timeout": "once"}}}],
        models=[{"id": "a", "policy": {"causes": {"timeout": "retry"}}}],
    )
    causes = rules_of(asked, asked.models[0]).causes
    assert (causes.memory, causes.platform, causes.timeout) == ("never", "once", "retry")


@pytest.mark.parametrize(
    ("common", "rule", "standing"),
    [
        ({}, {}, Standing.IGNORE),
        ({"standing": "retry"}, {}, Standing.RETRY),
        ({}, {"standing": "retry"}, Standing.RETRY),
        ({"standing": "retry"}, {"standing": "ignore"}, Standing.IGNORE),
    ],
)
def test_a_discovered_model_ignores_a_standing_failure_unless_a_layer_says_otherwise(
    common: dict[str, str], rule: dict[str, str], standing: Standing
) -> None:
    asked = config(
        policy=common,
        rules=[{"match": ["team-a/*"], "policy": {"max_attempts": 2, **rule}}],
        discovery={"include": ["*"]},
    )
    found = Discovered("llama", "team-a")
    policy = discovered_policies(asked, {"x": found})["x"]
    assert (policy.max_attempts, policy.standing) == (2, standing)
    # A command about that model alone goes by the same policy.
    assert policies(only(asked, "x", found)) == {"x": policy}


def test_a_command_about_one_configured_model_keeps_its_policy() -> None:
    asked = config(models=[{"id": "a", "team": "team-a"}, {"id": "b"}], rules=RULES)
    assert policies(only(asked, "a")) == {"a": policies(asked)["a"]}


def test_what_is_in_force_follows_a_changed_rule_and_a_changed_team() -> None:
    before = config(models=[{"id": "a", "name": "llama-8b"}], discovery={"include": ["*"]})
    after = before.model_copy(update={"rules": config(rules=RULES).rules})
    teams = [{"x": Discovered("sdxl", team)} for team in ("team-a", "team-b")]
    attempts = [
        {model_id: model.policy.max_attempts for model_id, model in settings.models.items()}
        for settings in (
            make_settings(before, "me", teams[0]),
            make_settings(after, "me", teams[0]),
            make_settings(after, "me", teams[1]),
        )
    ]
    assert attempts == [{"x": 4, "a": 4}, {"x": 2, "a": 2}, {"x": 3, "a": 2}]


def test_many_models_share_one_policy() -> None:
    asked = config(
        models=[{"id": f"m{n}"} for n in range(3)], rules=[{"match": ["m*"], "policy": {}}]
    )
    assert len({id(policy) for policy in policies(asked).values()}) == 1


def test_a_rule_is_reported_that_the_configuration_keeps_from_models() -> None:
    listed = [
        ListedModel("a", "whisper", "team-a", True),
        ListedModel("b", "llama-8b", "team-b", True),
        ListedModel("c", "sdxl", "team-b", True),
        ListedModel("d", "sdxl", "team-a", True),
        ListedModel("e", "llama-8b", "team-b", True),
    ]
    asked = config(
        models=[{"id": "a"}, {"id": "b"}, {"id": "c", "team": "team-x"}, {"id": "gone"}],
        rules=RULES,
    )
    (warning,) = overlooked(asked, listed)
    assert warning == (
        "rules[0]: does not apply to a (team-a/whisper) and 1 more, since `models` does not give "
        "the name or team that it matches"
    )
    given = config(
        models=[{"id": each.id, "name": f"my-{each.id}", "team": each.team} for each in listed],
        rules=RULES,
    )
    assert overlooked(given, listed) == []
