"""The settings of a policy: every key, its default, its unit and the reason for it."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field

from watchdog.config.allowed_times import AllowedTimes, parsed_line, time_zone
from watchdog.config.section import Section
from watchdog.config.values import Count, Duration, Factor, NoBool, Statuses, Text
from watchdog.domain.causes import Cause
from watchdog.domain.records import CauseAction, CauseRule, Standing
from watchdog.text.duration import parse_duration


def _checked_by(check: Callable[[str], object]) -> AfterValidator:
    def unchanged(text: str) -> str:
        check(text)
        return text

    return AfterValidator(unchanged)


CronLine = Annotated[Text, _checked_by(parsed_line)]
TimeZone = Annotated[Text, _checked_by(time_zone)]


class AllowedTimesRules(Section):
    """Each minute that one of the lines matches is allowed."""

    cron: Annotated[tuple[CronLine, ...], Field(min_length=1)] = Field(
        description="Lines of cron's five fields, as '* 8-18 * * mon-fri'."
    )
    timezone: TimeZone = Field(
        "UTC", description="The time zone in which the lines are read, such as Europe/Berlin."
    )

    def compiled(self) -> AllowedTimes:
        return AllowedTimes(self.cron, self.timezone)


class OwnBackoff(Section):
    """The backoff after a failure with a certain cause. What is not given is as in the policy."""

    backoff: Duration = Field(description="As in policy, for this cause alone.")
    backoff_factor: Factor | None = Field(None, description="As in policy, for this cause alone.")
    backoff_max: Duration | None = Field(None, description="As in policy, for this cause alone.")


class CauseRules(Section):
    """How often a failure is retried, by its cause: retry, as the rest of the policy says; once, to
    prove that a retry does not help; or never."""

    dependency: CauseAction = Field(CauseAction.ONCE, description=Cause.DEPENDENCY.sentence)
    user_code: CauseAction = Field(CauseAction.ONCE, description=Cause.USER_CODE.sentence)
    configuration: CauseAction = Field(CauseAction.ONCE, description=Cause.CONFIGURATION.sentence)
    memory: CauseAction = Field(CauseAction.RETRY, description=Cause.MEMORY.sentence)
    capacity: CauseAction = Field(CauseAction.RETRY, description=Cause.CAPACITY.sentence)
    network: CauseAction = Field(CauseAction.RETRY, description=Cause.NETWORK.sentence)
    platform: CauseAction = Field(CauseAction.RETRY, description=Cause.PLATFORM.sentence)
    timeout: CauseAction = Field(CauseAction.RETRY, description=Cause.TIMEOUT.sentence)
    unknown: CauseAction = Field(CauseAction.RETRY, description=Cause.UNKNOWN.sentence)
    capacity_backoff: OwnBackoff | None = Field(
        None, description="The backoff while no machine is free; without it, as in policy."
    )
    network_backoff: OwnBackoff | None = Field(
        None, description="The backoff after a failed download; without it, as in policy."
    )

    def compiled(self) -> dict[Cause, CauseRule]:
        """The rules that differ from the rest of the policy."""
        own = {Cause.CAPACITY: self.capacity_backoff, Cause.NETWORK: self.network_backoff}
        rules = {
            cause: CauseRule(getattr(self, cause), **dict(own.get(cause) or {})) for cause in Cause
        }
        return {cause: rule for cause, rule in rules.items() if rule != CauseRule()}


class PolicyRules(Section):
    retry_on: Statuses = Field(
        ("BUILD_FAILED", "DEPLOY_FAILED"), description="The statuses that are retried."
    )
    first_delay: Duration = Field(
        parse_duration("5m"),
        description="The wait before an episode's first attempt, because a person may be working "
        "on it, and many causes pass by themselves.",
    )
    backoff: Duration = Field(
        parse_duration("5m"),
        description="The wait before the second attempt, counted from the look that saw the model "
        "fail again.",
    )
    backoff_factor: Factor = Field(
        3, description="By how much each further wait is multiplied: 5, 15, 45 minutes."
    )
    backoff_max: Duration = Field(
        parse_duration("1h"), description="The longest wait, before jitter."
    )
    jitter: Annotated[float, Field(allow_inf_nan=False, ge=0, le=1), NoBool] = Field(
        0.5,
        description="Up to this share of a wait is added to it, so that the retries of several "
        "models do not come at the same moment.",
    )
    max_attempts: Count = Field(
        4,
        description="How many attempts one episode may have. With the default delays they last "
        "about as long as a platform incident.",
    )
    window: Duration = Field(
        parse_duration("24h"),
        description="The time span in which max_attempts_per_window counts attempts.",
    )
    max_attempts_per_window: Count = Field(
        6, description="In one window; recovery does not clear it, so that flapping is bounded."
    )
    healthy_reset: Duration = Field(
        parse_duration("30m"),
        description="How long a model must be seen healthy after a recovery, so that a failure "
        "after that opens a new episode. An earlier one continues the old episode with its count.",
    )
    stuck_after: Duration = Field(
        parse_duration("60m"),
        description="An attempt without a result, or a model that is in progress, for longer than "
        "this is stuck: a person is needed.",
    )
    settle: Duration = Field(
        parse_duration("5m"),
        description="It has two uses. A retry that is only presumed to have failed keeps its place "
        "in flight for this long. And SCALED_TO_ZERO after a retry counts as a recovery only after "
        "it has lasted this long, since a model may be scaled to zero before it was loaded.",
    )
    standing: Standing = Field(
        Standing.RETRY,
        description="retry or ignore: what to do about a model that was already failing when it "
        "was first watched.",
    )
    allowed_times: AllowedTimesRules | None = Field(
        None, description="When retries may happen; without it, always."
    )
    causes: CauseRules = Field(
        default_factory=CauseRules,
        description="How often a failure is retried, by its cause: retry, as the rest of the "
        "policy says; once, which proves that a retry does not help; or never. A retry that "
        "cannot help costs a place in the builder, and the cause that was found may be wrong.",
    )


def _without_defaults(schema: dict[str, Any]) -> None:
    for setting in schema["properties"].values():
        setting.pop("default", None)


class PolicyOverrides(PolicyRules):
    """Keys of `policy` for some models. A key that is left out is as in the layer below, and not
    the default."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)
