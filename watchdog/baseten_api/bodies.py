"""The bodies that the API sends, as far as they matter here. Unknown fields are ignored."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Strict, StrictBool, StringConstraints

from watchdog.domain.records import DeploymentRef
from watchdog.engine.ports import Deployment, RetryAnswer

_LABEL = "watchdog"
"""What a person sets to `off` on a deployment that is to be left alone."""

_Text = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200)]


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("out of range in UTC") from None


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class AnyBody(_Body):
    """Any JSON object: that there is one is all that matters."""


class DeploymentBody(_Body):
    """A deployment. `status` may be any word: the API grows. A time without a zone is UTC."""

    id: _Text
    created_at: Annotated[datetime, Strict(), AfterValidator(_utc)]
    status: _Text
    # Whatever a person put there must not make the rest unusable.
    labels: Any = None

    def to_deployment(self) -> Deployment:
        labels = self.labels if isinstance(self.labels, dict) else {}
        # An `off` without quotes is a boolean in YAML.
        opted_out = labels.get(_LABEL) in ("off", False)
        return Deployment(DeploymentRef(self.id, self.created_at), self.status, opted_out)


class RetryBody(_Body):
    """The answer to a retry: `retried` must be a true boolean, `"yes"` says nothing."""

    retried: StrictBool
    reason: str | None = None
    deployment: DeploymentBody

    def to_answer(self) -> RetryAnswer:
        return RetryAnswer(self.retried, self.reason, self.deployment.to_deployment())


class ThrottledBody(_Body):
    """A 429: seconds until the API's window resets."""

    retry_after: float


class ErrorBody(_Body):
    """An error, in either of the two shapes that are seen."""

    message: str | None = None
    error: str | None = None
