"""The configuration's shape: every key, its default, its unit and the reason for it."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)
from sqlalchemy import make_url

from watchdog.domain.duration import format_duration, parse_duration
from watchdog.domain.records import FleetLimits, Policy, Standing


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return parse_duration(value.strip())
    raise ValueError("a duration needs a unit: write it like 30s, 5m, 1h30m or 500ms")


def _not_bool(value: object) -> object:
    # YAML reads yes, no, on and off as booleans, and pydantic would take those for 1 and 0.
    if isinstance(value, bool):
        raise ValueError("a number is wanted, not yes or no")  # noqa: TRY004 - pydantic's protocol
    return value


def _text(value: object) -> object:
    if isinstance(value, (int, float)):
        raise ValueError(f"put it in quotes: YAML reads {value} as a number or a switch")  # noqa: TRY004
    return value


def _unique(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(format_duration),
    WithJsonSchema(
        {"type": "string", "pattern": r"^(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$", "minLength": 2}
    ),
]
Whole = Annotated[int, BeforeValidator(_not_bool)]
Count = Annotated[Whole, Field(ge=1, le=10_000)]
Number = Annotated[float, BeforeValidator(_not_bool), Field(allow_inf_nan=False)]
Text = Annotated[str, BeforeValidator(_text)]
Statuses = Annotated[tuple[Text, ...], AfterValidator(_unique)]
ModelId = Annotated[
    str, BeforeValidator(_text), Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64)
]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Baseten(_Section):
    base_url: Text = Field(
        "https://api.baseten.co", description="The management API; plain http only to loopback."
    )
    allow_insecure_http: bool = Field(
        False, description="Allow plain http to other hosts: the key is then sent in the clear."
    )
    api_key_file: Path | None = Field(
        None,
        description="A file with the API key, read again when it changes; "
        "it wins over BASETEN_API_KEY.",
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
        description="How often each target is checked, +-10 % so that they spread.",
    )
    recovery_interval: Duration = Field(
        parse_duration("15s"), description="The same for a target with an attempt under way."
    )
    concurrency: Annotated[Whole, Field(ge=1, le=100)] = Field(
        20, description="How many requests may be under way at once."
    )


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
    backoff_factor: Annotated[Number, Field(ge=1, le=100)] = Field(
        3, description="How much longer each further wait is: 5, 15, 45 minutes."
    )
    backoff_max: Duration = Field(
        parse_duration("1h"), description="The longest wait, before jitter."
    )
    jitter: Annotated[Number, Field(ge=0, le=1)] = Field(
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
    standing: Standing = Field(
        Standing.RETRY, description="Or ignore: leave alone what failed before it was watched."
    )


class Breaker(_Section):
    """Accepted and checked; this version does not act on it yet."""

    min_failures: Count = 3
    ratio: Annotated[Number, Field(gt=0, le=1)] = 0.3
    max_failures: Count = 20
    window: Duration = Field(parse_duration("10m"))
    cooldown: Duration = Field(parse_duration("10m"))


class Fleet(_Section):
    max_retries_per_minute: Count = Field(
        4, description="Of the API's 10 a minute per key: people need the rest."
    )
    max_in_flight: Count = Field(10, description="Attempts under way at once, over all targets.")
    max_attempts_per_window: Count = Field(
        50, description="In 24 h, over all targets: what a bad day may cost at most."
    )
    breaker: Breaker = Breaker()


class Model(_Section):
    id: ModelId = Field(description="The model's id, as in its URL.")
    name: Text | None = Field(None, description="For people; in logs and metrics.")
    policy: dict[str, Any] = Field(
        default_factory=dict, description="Any key of policy, for this model alone."
    )


class Store(_Section):
    url: Annotated[Text, Field(repr=False)] = Field(
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
        return make_url(self.url).render_as_string(hide_password=True)


class Server(_Section):
    host: Text = Field("127.0.0.1", description="Where /metrics, /healthz and /readyz listen.")
    port: Annotated[Whole, Field(ge=0, le=65535)] = Field(9464, description="0: any free one.")


class Logging(_Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console", "auto"] = Field(
        "auto", description="auto: console on a terminal, else json."
    )


class Config(_Section):
    """The whole configuration. Immutable; holds no secret but a password in `store.url`."""

    mode: Literal["retry", "observe"] = Field(
        "retry", description="observe decides and records everything, and sends no retry."
    )
    baseten: Baseten = Baseten()
    watch: Watch = Watch()
    policy: PolicyRules = PolicyRules()
    fleet: Fleet = Fleet()
    models: tuple[Model, ...] = Field((), description="What is watched. None means nothing.")
    store: Store = Field(default_factory=Store)
    server: Server = Server()
    logging: Logging = Logging()

    def rules_of(self, model: Model) -> PolicyRules:
        """A model's rules: the common ones, with its own on top. Raises ValidationError."""
        return PolicyRules.model_validate(_given(self.policy) | model.policy)

    def policies(self) -> Mapping[str, Policy]:
        """The rules of each model, by id."""
        return {model.id: _policy(self.rules_of(model)) for model in self.models}

    def fleet_limits(self) -> FleetLimits:
        return FleetLimits(
            max_retries_per_minute=self.fleet.max_retries_per_minute,
            max_in_flight=self.fleet.max_in_flight,
            max_attempts_per_window=self.fleet.max_attempts_per_window,
        )


def _given(rules: PolicyRules) -> dict[str, Any]:
    return {name: getattr(rules, name) for name in PolicyRules.model_fields}


def _policy(rules: PolicyRules) -> Policy:
    return Policy(**_given(rules) | {"retry_on": frozenset(rules.retry_on)})


def _state_folder() -> Path:
    return platformdirs.user_state_path("baseten-watchdog", appauthor=False)
