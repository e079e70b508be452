"""The configuration's shape: every key, its default, its unit and the reason for it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import platformdirs
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from watchdog.config.allowed_times import AllowedTimes
from watchdog.config.values import (
    BaseUrl,
    Count,
    Duration,
    File,
    ModelId,
    Name,
    NoBool,
    Number,
    Port,
    Statuses,
    Text,
)
from watchdog.domain.breaker import BreakerRules
from watchdog.domain.causes import Cause
from watchdog.domain.discovery import DiscoveryRules
from watchdog.domain.records import FleetLimits, Policy, Standing
from watchdog.text.duration import parse_duration


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True
    )

    @model_validator(mode="before")
    @classmethod
    def _nothing_under_it(cls, value: object) -> object:
        return {} if value is None else value


class Baseten(_Section):
    base_url: BaseUrl = Field(
        "https://api.baseten.co", description="The management API; plain http only to loopback."
    )
    allow_insecure_http: bool = Field(
        False, description="Allow plain http to other hosts: the key is then sent in the clear."
    )
    api_key_file: File | None = Field(
        None,
        description="A file with the API key, read again when it changes; "
        "it wins over BASETEN_API_KEY.",
    )
    auth_scheme: Literal["api-key", "bearer"] = Field(
        "api-key",
        description="How the key is sent: `Authorization: Api-Key KEY` or "
        "`Authorization: Bearer KEY`. `doctor` tries the other one when the key is refused.",
    )
    timeout: Duration = Field(
        parse_duration("10s"),
        description="For one request as a whole; a slower API counts as not answering.",
    )
    max_requests_per_second: Number = Field(
        50, description="The documented limit is 100 per key: this leaves people half of it."
    )


class Watch(_Section):
    interval: Duration = Field(
        parse_duration("1m"),
        description="How often each target is checked, +-5 % so that they spread.",
    )
    recovery_interval: Duration = Field(
        parse_duration("15s"), description="The same for a target with an attempt under way."
    )
    concurrency: Annotated[int, Field(ge=1, le=100), NoBool] = Field(
        20, description="How many requests may be under way at once."
    )


class AllowedTimesRules(_Section):
    """Each minute that one of the lines matches is allowed."""

    cron: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        description="Lines of cron's five fields, as '* 8-18 * * mon-fri'."
    )
    timezone: str = Field("UTC", description="In which they are read, as Europe/Berlin.")

    @model_validator(mode="after")
    def _readable(self) -> Self:
        self.compiled()
        return self

    def compiled(self) -> AllowedTimes:
        return AllowedTimes(self.cron, self.timezone)


class PolicyRules(_Section):
    retry_on: Statuses = Field(
        ("BUILD_FAILED", "DEPLOY_FAILED"), description="The statuses that are retried."
    )
    first_delay: Duration = Field(
        parse_duration("2m"),
        description="The wait before an episode's first attempt: a person may be at it.",
    )
    backoff: Duration = Field(
        parse_duration("5m"),
        description="The wait after the first re-failure, counted from seeing it.",
    )
    backoff_factor: Annotated[float, Field(allow_inf_nan=False, ge=1, le=100), NoBool] = Field(
        3, description="How much longer each further wait is: 5, 15, 45 minutes."
    )
    backoff_max: Duration = Field(
        parse_duration("1h"), description="The longest wait, before jitter."
    )
    jitter: Annotated[float, Field(allow_inf_nan=False, ge=0, le=1), NoBool] = Field(
        0.5, description="Up to this share is added to a wait, so that retries do not come in step."
    )
    max_attempts: Count = Field(
        4, description="In one episode: about the length of a platform incident."
    )
    window: Duration = Field(
        parse_duration("24h"), description="What max_attempts_per_window looks back over."
    )
    max_attempts_per_window: Count = Field(
        6, description="In one window; recovery does not clear it, so that flapping is bounded."
    )
    healthy_reset: Duration = Field(
        parse_duration("30m"),
        description="Observed health after which a new failure is a new episode.",
    )
    stuck_after: Duration = Field(
        parse_duration("60m"),
        description="An attempt without a result for so long is stuck: a person is needed.",
    )
    settle: Duration = Field(
        parse_duration("5m"),
        description="How long a status must last before it counts by itself: so long a retry whose "
        "effect has not been seen keeps its place among those in flight, and so long "
        "SCALED_TO_ZERO after a retry is no recovery, as a model may be scaled to zero before it "
        "was loaded.",
    )
    standing: Standing = Field(
        Standing.RETRY, description="Or ignore: leave alone what failed before it was watched."
    )
    allowed_times: AllowedTimesRules | None = Field(
        None, description="When retries may happen; without it, always."
    )


def _without_defaults(schema: dict[str, Any]) -> None:
    for setting in schema["properties"].values():
        setting.pop("default", None)


class PolicyOverrides(PolicyRules):
    """What a model's own rules say. What they do not say is as in `policy`, not the default."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)


class Breaker(_Section):
    """Stops all retries when many targets fail at once; then tries one target at a time."""

    min_failures: Count = Field(3, description="The fewest new failures that open it.")
    ratio: Annotated[float, Field(allow_inf_nan=False, gt=0, le=1), NoBool] = Field(
        0.3, description="Of the targets that were well: more than this share opens it."
    )
    max_failures: Count = Field(20, description="So many new failures open it whatever the share.")
    window: Duration = Field(
        parse_duration("10m"), description="Failures this close together count as one."
    )
    cooldown: Duration = Field(
        parse_duration("10m"), description="The wait before one target is tried again."
    )


class Fleet(_Section):
    max_retries_per_minute: Count = Field(
        4, description="Of the API's 10 a minute per key: people need the rest."
    )
    max_in_flight: Count = Field(10, description="Attempts under way at once, over all targets.")
    max_attempts_per_window: Count = Field(
        50, description="In 24 h, over all targets: what a bad day may cost at most."
    )
    breaker: Breaker = Field(
        default_factory=Breaker,
        description="Stops all retries when many targets fail at once: the platform is ill then, "
        "and retries make it worse.",
    )


_NO_OVERRIDES = PolicyOverrides()
"""One shared object for all models without own rules, of which there may be ten thousand."""


class Model(_Section):
    id: ModelId = Field(description="The model's id, as in its URL.")
    name: Name | None = Field(None, description="For people; in logs and metrics.")
    policy: PolicyOverrides = Field(
        default_factory=lambda: _NO_OVERRIDES,
        description="Any key of policy, for this model alone.",
    )


class Discovery(_Section):
    """Which of the models that the API lists are watched, beside those in `models`."""

    include: Annotated[tuple[Text, ...], Field(min_length=1)] = Field(
        description="Patterns: 'team/name', or a name alone; * stands for anything."
    )
    exclude: tuple[Text, ...] = Field(
        (), description="The same, for what is not watched all the same."
    )
    interval: Duration = Field(
        parse_duration("5m"), description="How often the API is asked for its list of models."
    )

    def rules(self) -> DiscoveryRules:
        return DiscoveryRules(self.include, self.exclude)


def _stripped(value: object) -> object:
    """Without the white space around it, as the API key: secrets often end in a newline."""
    return value.strip() if isinstance(value, str) else value


class Store(_Section):
    url: Annotated[Text, Field(repr=False), BeforeValidator(_stripped)] = Field(
        default_factory=lambda: f"sqlite:///{_state_folder()}/ledger.db",
        description="A SQLAlchemy URL; by default a file in the user's state directory.",
    )
    retention: Duration = Field(
        parse_duration("90d"),
        description="Closed episodes and attempts older than this are deleted.",
    )

    @property
    def display_url(self) -> str:
        """The URL with its password masked."""
        # Slow to import, and most commands do not show it.
        from sqlalchemy import make_url

        return make_url(self.url).render_as_string(hide_password=True)


class Server(_Section):
    host: Text = Field(
        "127.0.0.1", description="Where the page, /metrics, /healthz and /readyz listen."
    )
    port: Port = Field(9464, description="0: any free one.")


class Logging(_Section):
    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least important events that are logged."
    )
    format: Literal["json", "console", "auto"] = Field(
        "auto", description="auto: console on a terminal, else json."
    )


def _list(value: object) -> object:
    return () if value is None else value


def _regular_expression(text: str) -> str:
    # Slow to import, and few configurations have patterns of their own.
    from watchdog.config.causes import regular_expression

    return regular_expression(text)


class OwnCause(_Section):
    """What a line of a log says of the cause, to whoever wrote the configuration."""

    match: Annotated[Text, AfterValidator(_regular_expression)] = Field(
        description="A regular expression (RE2 syntax), found anywhere in a line, in any case."
    )
    cause: Cause = Field(description="What the line says.")


class Config(_Section):
    """The whole configuration. Immutable; holds no secret but a password in `store.url`."""

    mode: Literal["retry", "observe"] = Field(
        "retry", description="observe decides and records everything, and sends no retry."
    )
    baseten: Baseten = Field(
        default_factory=Baseten, description="The management API and how it is asked."
    )
    watch: Watch = Field(default_factory=Watch, description="How often the targets are checked.")
    policy: PolicyRules = Field(
        default_factory=PolicyRules,
        description="When a failed deployment is retried; a model can override each of these.",
    )
    fleet: Fleet = Field(default_factory=Fleet, description="The limits over all models.")
    models: Annotated[tuple[Model, ...], BeforeValidator(_list)] = Field(
        (), description="What is watched. None means nothing, but for what is discovered."
    )
    discovery: Discovery | None = Field(
        None,
        description="Watch models by their team and name; `models` need not list them then. "
        "policy.standing is ignore for these, unless it is set.",
    )
    diagnose: bool = Field(
        True,
        description="Keep the last error lines of a failed deployment's logs, and who ended an "
        "episode, for `history MODEL`.",
    )
    causes: tuple[OwnCause, ...] = Field(
        (), description="What lines of your logs say of a cause; they go before what is built in."
    )
    store: Store = Field(default_factory=Store, description="The ledger.")
    server: Server = Field(
        default_factory=Server, description="Where the daemon answers over HTTP."
    )
    logging: Logging = Field(
        default_factory=Logging, description="What the daemon logs on standard error."
    )

    @property
    def watches_any(self) -> bool:
        """Whether there may be anything to watch."""
        return bool(self.models) or self.discovery is not None

    def rules_of(self, model: Model) -> PolicyRules:
        """A model's rules: the common ones, with its own on top."""
        own = {name: getattr(model.policy, name) for name in model.policy.model_fields_set}
        return self.policy.model_copy(update=own)

    def only(self, model_id: str) -> Self:
        """The same, for one model, configured or not."""
        found = [model for model in self.models if model.id == model_id]
        # A discovered model follows the rules of the discovered ones.
        ignores = self.discovery is not None and "standing" not in self.policy.model_fields_set
        own = PolicyOverrides(standing=Standing.IGNORE) if ignores else PolicyOverrides()
        models = tuple(found) or (Model(id=model_id, policy=own),)
        return self.model_copy(update={"models": models, "discovery": None})

    def policies(self) -> Mapping[str, Policy]:
        """The rules of each configured model, by id."""
        common = _policy(self.policy)  # one shared object for all models without own rules
        return {
            model.id: _policy(self.rules_of(model)) if model.policy.model_fields_set else common
            for model in self.models
        }

    def discovered_policy(self) -> Policy:
        """The rules of a discovered model. The file does not name it, so a failure that is there
        when it is first seen may be intended and is not retried, unless the file says otherwise."""
        policy = _policy(self.policy)
        chosen = "standing" in self.policy.model_fields_set
        return policy if chosen else replace(policy, standing=Standing.IGNORE)

    def own_causes(self) -> tuple[tuple[str, Cause], ...]:
        """Patterns and what they say."""
        return tuple((own.match, own.cause) for own in self.causes)

    def fleet_limits(self) -> FleetLimits:
        return FleetLimits(
            max_retries_per_minute=self.fleet.max_retries_per_minute,
            max_in_flight=self.fleet.max_in_flight,
            max_attempts_per_window=self.fleet.max_attempts_per_window,
        )

    def breaker_rules(self) -> BreakerRules:
        breaker = self.fleet.breaker
        return BreakerRules(**{name: getattr(breaker, name) for name in Breaker.model_fields})


def _policy(rules: PolicyRules) -> Policy:
    given = {name: getattr(rules, name) for name in PolicyRules.model_fields}
    times = rules.allowed_times
    compiled = None if times is None else times.compiled()
    return Policy(**given | {"retry_on": frozenset(rules.retry_on), "allowed_times": compiled})


def _state_folder() -> Path:
    return platformdirs.user_state_path("baseten-watchdog", appauthor=False)
