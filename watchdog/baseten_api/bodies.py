"""The bodies that the API sends: only the fields that are used here. Unknown fields are ignored."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    RootModel,
    Strict,
    StrictBool,
    StringConstraints,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from watchdog.domain.causes import Startup
from watchdog.domain.discovery import ListedModel, Listing
from watchdog.domain.records import Actor, DeploymentRef
from watchdog.engine.ports import Act, Deployment, RetryAnswer
from watchdog.text.log import log_lines
from watchdog.text.patterns import MODEL_ID
from watchdog.text.untrusted import LONGEST_NAME, clean, is_plain

_LABEL = "watchdog"
"""The label that an operator sets to `off` on a deployment that the watchdog must not retry."""

_OFF = frozenset({"off", "false", "f", "no", "n", "0", "0.0", "disabled", "disable", "never"})
"""What YAML 1.1 and people write for `off`, in upper or lower case."""

_AROUND = " \t\r\n'\""
"""Characters that may be left around the word, such as the quotes of a template."""


def _plain(text: str) -> str:
    if not is_plain(text):
        raise PydanticCustomError("not_plain", "empty, too long, or with characters unfit to print")
    return text


_Identity = Annotated[str, Strict(), AfterValidator(_plain)]
"""An id or a status. A value that cannot be used unchanged makes the whole body unusable."""


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("out of range in UTC") from None


def _asked_for(model_id: str, info: ValidationInfo) -> str:
    """The validation's context is the id of the model that the request was about."""
    if model_id != info.context:
        raise PydanticCustomError("another_model", "it is about another model")
    return model_id


def _development(is_development: bool) -> bool:
    if not is_development:
        raise PydanticCustomError("not_development", "it is not the development deployment")
    return is_development


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class AnyBody(_Body):
    """Any JSON object: it only matters that the body is one."""


class DeploymentBody(_Body):
    """The development deployment of the requested model. `status` may be any word, because the API
    may add statuses. A time without a zone is UTC."""

    id: _Identity
    created_at: Annotated[datetime, Strict(), AfterValidator(_utc)]
    model_id: Annotated[_Identity, AfterValidator(_asked_for)]
    is_development: Annotated[StrictBool, AfterValidator(_development)]
    status: _Identity
    # A label of any type or content must not make the rest of the body unusable.
    labels: Any = None

    def to_deployment(self) -> Deployment:
        labels = self.labels if isinstance(self.labels, dict) else {}
        # An `off` without quotes is a boolean in YAML.
        opted_out = str(labels.get(_LABEL)).strip(_AROUND).lower() in _OFF
        return Deployment(DeploymentRef(self.id, self.created_at), self.status, opted_out)


class ListedBody(_Body):
    """A model in the list. Its id becomes part of paths and a metric's label."""

    id: Annotated[str, StringConstraints(strict=True, pattern=MODEL_ID)]
    name: str
    team_name: str
    # Required: without it nothing is known about the development slot.
    development_deployment_id: _Identity | None

    def to_model(self, key: str) -> ListedModel:
        has_development = self.development_deployment_id is not None
        name, team = (clean(text, key, most=LONGEST_NAME) for text in (self.name, self.team_name))
        return ListedModel(self.id, name, team, has_development)


class ModelsBody(_Body):
    """The list of models. Entries that cannot be read, or that contradict each other, do not make
    the others unusable."""

    models: tuple[Any, ...]

    def to_listing(self, key: str) -> Listing:
        found: dict[str, ListedModel] = {}
        unreadable = 0
        for each in self.models:
            try:
                model = ListedBody.model_validate(each).to_model(key)
            except ValidationError:
                unreadable += 1
            else:
                unreadable += found.setdefault(model.id, model) != model
        return Listing(tuple(found.values()), unreadable)


def _is_at_least(number: Any, bound: float) -> bool:
    """Also if it cannot be read as a number: that alone is no reason to leave something out."""
    try:
        return int(number) >= bound
    except (TypeError, ValueError):
        return True


class _LogLine(_Body):
    message: str
    # Nanoseconds since the epoch, as a text. One that cannot be read does not spoil the line.
    timestamp: Any = None

    def is_since(self, since: datetime) -> bool:
        return _is_at_least(self.timestamp, since.timestamp() * 1e9)


class LogsBody(_Body):
    """Lines of a deployment's logs. They are newest first, because the request asks for that
    order."""

    logs: tuple[_LogLine, ...]

    def to_lines(self, key: str, since: datetime) -> tuple[str, ...]:
        """The lines in order of time. An API that does not know `since` gives earlier ones too."""
        said = [line.message for line in reversed(self.logs) if line.is_since(since)]
        return log_lines("\n".join(said), key)


class _Phase(_Body):
    phase: str
    status: str


class _StartupBody(_Body):
    outcome: str
    started_at_epoch_millis: Any = None
    phase_summary: tuple[_Phase, ...] = ()

    def is_since(self, since: datetime) -> bool:
        return _is_at_least(self.started_at_epoch_millis, int(since.timestamp() * 1000))

    def to_phases(self) -> list[Startup]:
        """A phase that is not complete ended as the whole start did."""
        return [
            Startup(
                clean(each.phase, most=LONGEST_NAME),
                "SUCCESS" if each.status == _COMPLETED else clean(self.outcome, most=LONGEST_NAME),
            )
            for each in self.phase_summary
        ]


_COMPLETED = "COMPLETED"


class StartupsBody(_Body):
    """The starts of a deployment, newest first, as the request says. A start that cannot be read
    does not make the others unusable."""

    items: tuple[Any, ...]

    def to_startups(self, since: datetime) -> list[Startup]:
        """The phases of the starts since then, oldest first. An API that does not know `since`
        gives earlier ones too."""
        found: list[Startup] = []
        for each in reversed(self.items):
            with suppress(ValidationError):
                start = _StartupBody.model_validate(each)
                if start.is_since(since):
                    found += start.to_phases()
        return found


_PLATFORM = "BASETEN_SYSTEM"
_PERSONS = frozenset({"USER", "API_KEY", "BASETEN_USER", "TOMBSTONE_USER"})
"""The kinds of actors in the audit log. A program with a key acts for the person who created the
key."""


class _Actor(_Body):
    email: str | None = None
    api_key_name: str | None = None
    api_key_prefix: str | None = None
    type: str = "somebody"

    @property
    def kind(self) -> Actor | None:
        if self.type == _PLATFORM:
            return Actor.PLATFORM
        return Actor.PERSON if self.type in _PERSONS else None


class _EventData(_Body):
    model_id: Any = None
    deployment_id: str | None = None
    # False means that the request was refused, so nothing was done.
    retried: StrictBool = True


class _AuditEntry(_Body):
    created: Annotated[datetime, AfterValidator(_utc)]
    event_type: str
    actor: _Actor
    event_data: _EventData = _EventData()

    def is_about(self, model_id: str) -> bool:
        return self.event_data.model_id in (None, model_id)

    def to_act(self, key: str) -> Act:
        actor, prefix = self.actor, self.actor.api_key_prefix
        name = f"API key {actor.api_key_name or prefix}" if actor.api_key_name or prefix else None
        return Act(
            self.created,
            self.event_type,
            clean(actor.email or name or actor.type.lower(), key, most=LONGEST_NAME),
            own=bool(prefix) and key.startswith(prefix or ""),
            deployment_id=self.event_data.deployment_id,
            by=actor.kind,
        )


class AuditBody(_Body):
    """A page of a model's audit log. An entry that cannot be read does not make the others
    unusable."""

    items: tuple[Any, ...]

    def to_acts(self, key: str, model_id: str, since: datetime) -> list[Act]:
        """What was done to the model since then. An API that does not know `since` gives earlier
        acts too: one that is older than an attempt must not end its episode."""
        acts = []
        for each in self.items:
            with suppress(ValidationError):
                entry = _AuditEntry.model_validate(each)
                done = entry.event_data.retried and entry.created >= since
                if done and entry.is_about(model_id):
                    acts.append(entry.to_act(key))
        return acts


class RetryBody(_Body):
    """The answer to a retry. `retried` must be a JSON boolean; `"yes"` is not accepted."""

    retried: StrictBool
    reason: str | None = None
    deployment: DeploymentBody

    def to_answer(self, key: str) -> RetryAnswer:
        reason = None if self.reason is None else clean(self.reason, key)
        return RetryAnswer(self.retried, reason, self.deployment.to_deployment())


class ThrottledBody(_Body):
    """A 429: when the API's window resets, in seconds from the answer or as a date."""

    retry_after: float | str


class ErrorBody(RootModel[Any]):
    """An error: a text, or a mapping or a list that holds texts somewhere."""

    def text(self) -> str:
        """What it says; empty when it says nothing."""
        try:
            return _said(self.root)
        except RecursionError:
            return ""


_SAYING = (
    *("message", "msg", "error_description", "description", "detail", "details", "reason"),
    *("error", "errors", "title", "code"),
)
"""The keys under which a mapping may say in words what is wrong, the best first."""

_HOLDING = ("error", "errors", "detail", "details")
"""The keys under which a mapping may hold another one, with a text for each wrong field."""


def _said(found: Any, *, by_field: bool = False) -> str:
    if isinstance(found, str):
        return found.strip()
    if isinstance(found, list):
        return "; ".join(filter(None, map(_said, found)))
    if not isinstance(found, dict):
        return ""
    named = (_said(found.get(name), by_field=name in _HOLDING) for name in _SAYING)
    if (best := next(filter(None, named), "")) or not by_field:
        return best
    fields = ((name, _said(value)) for name, value in found.items())
    return "; ".join(f"{name}: {text}" for name, text in fields if text)
