"""The configuration's shape: every key, its default, its unit and the reason for it."""

from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from watchdog.config.policy_rules import PolicyOverrides, PolicyRules
from watchdog.config.section import Section
from watchdog.config.values import (
    BaseUrl,
    Count,
    Duration,
    File,
    HostPattern,
    ModelId,
    Name,
    NoBool,
    Number,
    Port,
    Text,
)
from watchdog.domain.breaker import BreakerRules
from watchdog.domain.causes import Cause
from watchdog.domain.discovery import DiscoveryRules
from watchdog.domain.notices import BY_DEFAULT, NoticeEvent
from watchdog.domain.outbox import Receiver
from watchdog.domain.records import FleetLimits
from watchdog.files.places import state_folder
from watchdog.text.duration import parse_duration
from watchdog.text.links import APP_URL
from watchdog.text.secret import stripped


class Baseten(Section):
    base_url: BaseUrl = Field(
        "https://api.baseten.co", description="The management API; plain http only to loopback."
    )
    app_url: BaseUrl = Field(
        APP_URL, description="Baseten's web application: where links to models and logs lead."
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


class Watch(Section):
    interval: Duration = Field(
        parse_duration("1m"),
        description="How often each target is checked, +-5 % so that they spread.",
    )
    recovery_interval: Duration = Field(
        parse_duration("15s"), description="The same for a target with an attempt under way."
    )
    concurrency: Annotated[int, Field(ge=1, le=100), NoBool] = Field(
        20,
        description="How many checks may have a request under way at once. The second look, the "
        "retry and the reading of logs are not counted.",
    )


class Breaker(Section):
    """Stops all retries when many targets fail at once; then tries one target at a time."""

    min_failures: Count = Field(3, description="The fewest new failures that open it.")
    ratio: Annotated[float, Field(allow_inf_nan=False, gt=0, le=1), NoBool] = Field(
        0.3,
        description="It opens if more than this share of the targets that were not failing began "
        "to fail.",
    )
    max_failures: Count = Field(
        20, description="This many new failures open it, whatever the share is."
    )
    window: Duration = Field(
        parse_duration("10m"),
        description="Only failures that began within this span are counted together.",
    )
    cooldown: Duration = Field(
        parse_duration("10m"), description="The wait before one target is tried again."
    )


class Fleet(Section):
    max_retries_per_minute: Count = Field(
        4, description="Of the API's 10 a minute per key: people need the rest."
    )
    max_in_flight: Count = Field(
        10,
        description="How many targets may hold a place in flight: by an attempt whose result was "
        "not seen, or was presumed less than policy.settle ago.",
    )
    max_attempts_per_window: Count = Field(
        50, description="In 24 h, over all targets: what a bad day may cost at most."
    )
    breaker: Breaker = Field(
        default_factory=Breaker,
        description="Stops all retries when many targets fail at once: then the cause is the "
        "platform, and retries make it worse.",
    )


_NO_OVERRIDES = PolicyOverrides()
"""One shared object for all models without own rules, of which there may be ten thousand."""


class Model(Section):
    id: ModelId = Field(description="The model's id, as in its URL.")
    name: Name | None = Field(None, description="For people; in logs and metrics.")
    team: Name | None = Field(
        None,
        description="Its team, for the patterns of rules. They see what is written here of a "
        "model, and not what the API says of it.",
    )
    policy: PolicyOverrides = Field(
        default_factory=lambda: _NO_OVERRIDES,
        description="Any key of policy, for this model alone. It goes before that of a rule.",
    )


class Rule(Section):
    """A part of the policy for all models that a pattern matches."""

    match: Annotated[tuple[Text, ...], Field(min_length=1)] = Field(
        description="Patterns: 'team/name', a name, or a whole id; * stands for anything."
    )
    policy: PolicyOverrides = Field(
        description="Any key of policy. It goes before policy, and that of a model before it."
    )


class Discovery(Section):
    """Which of the models that the API lists are watched, beside those in `models`."""

    include: Annotated[tuple[Text, ...], Field(min_length=1)] = Field(
        description="Patterns: 'team/name', a name, or a whole id; * stands for anything."
    )
    exclude: tuple[Text, ...] = Field(
        (), description="Patterns for models that are not watched although `include` matches them."
    )
    interval: Duration = Field(
        parse_duration("5m"), description="How often the API is asked for its list of models."
    )

    def rules(self) -> DiscoveryRules:
        return DiscoveryRules(self.include, self.exclude)


def _stripped(value: object) -> object:
    return stripped(value) if isinstance(value, str) else value


NOWHERE = "sqlite://"
"""The default of `store.url` for a user without a home directory, as in a container. It is the URL
of a database in memory, which is no ledger."""


def _default_store() -> str:
    try:
        folder = state_folder()
    except RuntimeError:
        return NOWHERE
    return f"sqlite:///{quote(str(folder))}/ledger.db" if folder.is_absolute() else NOWHERE


class Store(Section):
    url: Annotated[Text, Field(repr=False), BeforeValidator(_stripped)] = Field(
        default_factory=_default_store,
        description="A SQLAlchemy URL; by default a file in the user's state directory.",
    )
    retention: Duration = Field(
        parse_duration("90d"),
        description="What ended longer ago than this is deleted: episodes with their attempts and "
        "log lines, openings of the breaker, times of being broken, and changes of a status.",
    )

    @property
    def display_url(self) -> str:
        """The URL with every secret in it masked."""
        # Slow to import, and most commands do not show it.
        from watchdog.urls.ledger import ledger_url, shown

        return shown(ledger_url(self.url))


class Server(Section):
    host: Text = Field(
        "127.0.0.1", description="Where the page, /metrics, /healthz and /readyz listen."
    )
    port: Port = Field(9464, description="0: any free one.")
    allowed_hosts: tuple[HostPattern, ...] = Field(
        (),
        description="Names by which browsers and scrapers may ask, as `watchdog.example.com` or "
        "`*.example.com`, beside addresses, names without a dot and `*.svc`.",
    )
    external_url: BaseUrl | None = Field(
        None,
        description="Where people reach the page, with its path if it is behind one; "
        "notifications link to it. No user and password: messages show it.",
    )


class NotifyRules(Section):
    """One receiver of notifications."""

    name: Name = Field(description="For metrics, logs and `notify test`; never the URL.")
    url: SecretStr | None = Field(
        None,
        description="Where messages go: a URL of Apprise, as `slack://...` or `mailto://...`, or "
        "the https URL of a webhook that takes JSON. It often holds a secret, so that no command, "
        "log or page shows it.",
    )
    url_file: File | None = Field(
        None, description="A file with the URL, instead of `url`; read again for each message."
    )
    events: tuple[NoticeEvent, ...] = Field(
        BY_DEFAULT,
        description="What it is notified of; by default all but `retried`: what needs an "
        "operator, and the end of it.",
    )
    match: tuple[Text, ...] = Field(
        (),
        description="Which models it is notified of: patterns as those of discovery; without "
        "any, all. What concerns all models is not filtered.",
    )
    include_error_lines: bool = Field(
        False,
        description="Also send the last line of the failed deployment's log, which may hold "
        "secrets.",
    )


class Logging(Section):
    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least important events that are logged."
    )
    format: Literal["json", "console", "auto"] = Field(
        "auto", description="auto: console on a terminal, else json."
    )


def _regular_expression(text: str) -> str:
    # Slow to import, and few configurations have patterns of their own.
    from watchdog.config.causes import regular_expression

    return regular_expression(text)


class OwnCause(Section):
    """A pattern of the configuration, and the cause that a line shows if it matches."""

    match: Annotated[Text, AfterValidator(_regular_expression)] = Field(
        description="A regular expression (RE2 syntax) that matches anywhere in a line. Upper and "
        "lower case are the same."
    )
    cause: Cause = Field(description="What the line says.")


class Config(Section):
    """The whole configuration. Immutable; holds no secret but those in `store.url` and in the URLs
    of `notify`."""

    mode: Literal["retry", "observe"] = Field(
        "retry", description="observe decides and records everything, and sends no retry."
    )
    baseten: Baseten = Field(
        default_factory=Baseten, description="The management API and how it is asked."
    )
    watch: Watch = Field(default_factory=Watch, description="How often the targets are checked.")
    policy: PolicyRules = Field(
        default_factory=PolicyRules,
        description="When a failed deployment is retried; a rule or a model can override each of "
        "these.",
    )
    fleet: Fleet = Field(default_factory=Fleet, description="The limits over all models.")
    models: tuple[Model, ...] = Field(
        (),
        description="The models that are watched. If the list is empty, only discovered models are "
        "watched.",
    )
    rules: tuple[Rule, ...] = Field(
        (), description="Policies for groups of models; the first rule that matches a model counts."
    )
    discovery: Discovery | None = Field(
        None,
        description="Watch models by their team and name, without listing them in `models`. "
        "policy.standing is ignore for these, unless it is set there or in a rule.",
    )
    diagnose: bool = Field(
        True,
        description="Read why a deployment failed from its log and its starts, and who ended an "
        "episode from the audit log. Without it every cause is unknown.",
    )
    causes: tuple[OwnCause, ...] = Field(
        (),
        description="Patterns of your own: which cause a line of a log shows. They go before "
        "everything else in the log.",
    )
    store: Store = Field(default_factory=Store, description="The ledger.")
    server: Server = Field(
        default_factory=Server, description="Where the daemon answers over HTTP."
    )
    notify: tuple[NotifyRules, ...] = Field(
        (),
        description="Who is notified, and of what. All but webhooks need the extra `notify`.",
    )
    logging: Logging = Field(
        default_factory=Logging, description="What the daemon logs on standard error."
    )

    @property
    def watches_any(self) -> bool:
        """Whether there may be anything to watch."""
        return bool(self.models) or self.discovery is not None

    def own_causes(self) -> tuple[tuple[str, Cause], ...]:
        """Patterns and what they say."""
        return tuple((own.match, own.cause) for own in self.causes)

    def receivers(self) -> tuple[Receiver, ...]:
        return tuple(
            Receiver(each.name, frozenset(each.events), each.match, each.include_error_lines)
            for each in self.notify
        )

    def fleet_limits(self) -> FleetLimits:
        names = Fleet.model_fields.keys() - {"breaker"}
        return FleetLimits(**{name: getattr(self.fleet, name) for name in names})

    def breaker_rules(self) -> BreakerRules:
        breaker = self.fleet.breaker
        return BreakerRules(**{name: getattr(breaker, name) for name in Breaker.model_fields})
