"""What the engine needs of the world: adapters implement it, the contract tests hold them to it."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from watchdog.domain.breaker import Canary, Opening
from watchdog.domain.discovery import Listing
from watchdog.domain.finding import Finding
from watchdog.domain.records import (
    Action,
    Attempt,
    DecisionReason,
    DeploymentRef,
    Episode,
    Hold,
    Observation,
    StatusChange,
    Target,
)
from watchdog.domain.replica import Replica
from watchdog.engine.events import Event
from watchdog.text.untrusted import clean

T = TypeVar("T")


class Clock(Protocol):
    """Wall time for what is stored, monotonic time for waits."""

    def now(self) -> datetime:
        """The present time, aware and in UTC: the ledger server's own, where there is one, and else
        one that never steps while the process runs."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""


class Listener(Protocol):
    """Told of every event, synchronously. Must not raise and must not block."""

    def __call__(self, event: Event, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Deployment:
    """What the API says of a development deployment. `opted_out` as in an observation. `date` is
    what its clock said then, if it said so."""

    ref: DeploymentRef
    status: str
    opted_out: bool = False
    date: datetime | None = None

    def observed(self, at: datetime) -> Observation:
        return Observation(self.status, self.ref, at, self.opted_out)


@dataclass(frozen=True, slots=True)
class Act:
    """An entry of the audit log. `event` is the API's own word; `own`: with the key in use.
    `deployment_id` is which deployment of the model it is about, where it says so."""

    at: datetime
    event: str
    actor: str
    own: bool
    deployment_id: str | None = None


@dataclass(frozen=True, slots=True)
class RetryAnswer:
    """A strictly valid 2xx answer to the retry POST. `reason` is free text: untrusted."""

    retried: bool
    reason: str | None
    deployment: Deployment


class ApiError(Exception):
    """The API did not give a usable answer.

    `code` is a label of few values: the HTTP status, or `timeout`, `connect`, `invalid_body`,
    `held`. The text is one line for people, free of the key and of control characters.
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


class NotSent(ApiError):
    """Surely not executed: no connection was made. Try again later."""


class Held(NotSent):
    """Not even tried: the API asked for quiet. Try again after `hold.until`."""

    def __init__(self, message: str, *, hold: Hold) -> None:
        super().__init__(message, code="held")
        self.hold = hold


class Denied(ApiError):
    """401 or 403: the key is refused, and it was surely not executed. A person must fix the key
    or its role."""


class Forbidden(ApiError):
    """403, while the key is good otherwise: it may not do this one thing, which was surely not
    executed."""


class NotFound(ApiError):
    """404: no such model, or it has no development deployment, as one answer alone says: whoever
    stands before the API may say so of everything."""


class Throttled(ApiError):
    """429: surely not executed. The gate now holds the operation until `hold.until`."""

    def __init__(self, message: str, *, hold: Hold) -> None:
        super().__init__(message, code="429")
        self.hold = hold


class Unwanted(ApiError):
    """It was not sent: meanwhile there was a reason not to."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="unwanted")


class Rejected(ApiError):
    """Any other 4xx: understood and turned down. Asking again gives the same."""


class AnswerLost(ApiError):
    """5xx, a time-out, a broken connection, an unusable body: it may have been executed."""


Unless = Callable[[], Awaitable[str | None]]
"""Why something is not to be done after all, or None."""


class BasetenApi(Protocol):
    """The management API. A method without an answer raises `ApiError` and nothing else."""

    @property
    def key_mark(self) -> str:
        """A short text that differs between keys and reveals nothing of them."""

    async def get_deployment(self, model_id: str, *, urgent: bool = False) -> Deployment:
        """Read the development deployment. `urgent` goes before the waiting checks."""

    async def error_lines(
        self, model_id: str, deployment_id: str, *, since: datetime, until: datetime
    ) -> Sequence[str]:
        """The last lines of errors in a deployment's logs, or its last ones of any kind where none
        is marked as such. Without control characters and the key; untrusted all the same."""

    async def acts(self, model_id: str, *, since: datetime, until: datetime) -> Sequence[Act]:
        """What was done to a model, by its audit log."""

    async def list_models(self) -> Listing:
        """Every model that the key may see."""

    async def retry(self, model_id: str, unless: Unless | None = None) -> RetryAnswer:
        """POST the retry: once, on a new connection, never repeated.

        When its turn has come `unless` is asked, right before anything is sent. If that says why
        not, Unwanted is raised.
        """

    def retry_hold(self, model_id: str) -> Hold | None:
        """Why a retry of the model could not be sent now, if so. One that was answered 429 waits
        `GIVE_WAY` longer than the others."""


class LedgerUnavailable(Exception):
    """The ledger cannot be read or written now. Send nothing; try again later.

    The text is one line for people: a database's words and a file's name may hold anything.
    """

    def __init__(self, message: str) -> None:
        super().__init__(clean(message))


class VersionConflict(Exception):
    """Somebody else recorded a change of the target first. Look again."""


@dataclass(frozen=True, slots=True)
class Access:
    """What the API says of retrying a model now: the hold, if there is one, and which key is in
    use."""

    hold: Hold | None
    key_mark: str


@dataclass(frozen=True, slots=True)
class FleetUsage:
    """What the ledger holds of the fleet's retries; see `domain.records.Fleet`."""

    in_flight: int
    sent: tuple[datetime, ...]
    charged: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class Generation:
    """How many times attempts were reserved or recorded in a ledger, and which one was the last.

    A ledger of a lower number than before went back to an older state. One of the same number or a
    greater one did too, if the row of an attempt lacks that was there.
    """

    number: int
    attempt_id: str


def farthest_plan(now: datetime, interval: timedelta) -> datetime:
    """Later than this no check is planned: not even while an outage stretches the interval."""
    return now + 2 * max(interval, timedelta(minutes=5))


class LedgerTransaction(Protocol):
    """Rows in, rows out, all or nothing. No judgement lives behind it.

    In observe mode attempts include the `dry_run` ones; in retry mode these do not exist. Each mode
    has a breaker of its own: openings and canaries are those of the transaction's mode.
    """

    def now(self) -> datetime:
        """The present time, read after the transaction's lock is held; the same all through it."""

    def meta(self, key: str) -> str | None: ...

    def set_meta(self, key: str, value: str) -> None: ...

    def claim_due(self, until: datetime, *, limit: int, interval: timedelta) -> Sequence[Target]:
        """Take the watched targets due by `until`, the longest due first.

        One that is planned further ahead than any plan reaches is due as well: a clock that was
        ahead wrote that. Moves each one's `next_check_at` to about `interval` after now, in the
        same statement; the returned targets carry the time at which they were due.
        """

    def target(self, model_id: str) -> Target | None: ...

    def watched(self) -> Sequence[str]:
        """The ids of the watched targets."""

    def targets(self) -> Sequence[Target]:
        """Every target, the unwatched ones included, by model id."""

    def add_target(self, target: Target) -> None: ...

    def add_targets(self, added: Sequence[Target]) -> None:
        """As `add_target`, in as many round trips for all of them as for one."""

    def save_target(self, target: Target) -> Target:
        """Write a target and its episode, and return it with its next version.

        Raises VersionConflict when the stored version is not `target.version`.
        """

    def save_targets(self, changed: Sequence[Target]) -> Sequence[Target]:
        """As `save_target`, in as many round trips for all of them as for one. Where one of them
        cannot be written none is."""

    def save_episode(self, episode: Episode) -> None:
        """Write an episode that its target no longer refers to."""

    def attempts(
        self, target: Target, *, since: datetime, dated: datetime | None = None
    ) -> tuple[Attempt, ...]:
        """The attempts of the target's episode, and all that may have been sent since then or, by
        the API's clock, since `dated`; by number: the clock may have been set back between two of
        an episode."""

    def all_attempts(
        self, *, since: datetime, dated: datetime | None = None
    ) -> Mapping[str, tuple[Attempt, ...]]:
        """As `attempts`, of every target that has any, by model id."""

    def add_attempt(self, attempt: Attempt) -> None:
        """Raises VersionConflict when the target has a pending attempt already."""

    def generation(self) -> Generation:
        """As this transaction has left it so far: each attempt that `add_attempt`, `put_back` or
        `record_answer` writes makes it grow by one."""

    def without_row(self, attempt_ids: Collection[str]) -> frozenset[str]:
        """Those of which there is no attempt."""

    def put_back(self, lost: Sequence[tuple[Attempt, Episode]]) -> None:
        """Write attempts that have no row any more, and their episodes where these have none
        either."""

    def record_answer(self, attempt: Attempt) -> bool:
        """Write what became of sending it; False when that is settled already.

        Only `pending` and `unknown` give way.
        """

    def resolve_attempts(self, resolved: Sequence[Attempt]) -> None:
        """Write what watching shows of them: `resolution`, `resolved_at`, `presumed`,
        `in_flight_until` and `made`, nothing else."""

    def pending_attempts(self) -> Sequence[Attempt]: ...

    def fleet_usage(self, *, date: datetime | None, most: int) -> FleetUsage:
        """How many targets hold a place in flight, and when what counts in the fleet's minute and
        day does so (`limits.counts_at`), the present look's `date` being this: at most the newest
        `most` of each."""

    def forbidden_models(self, key_mark: str) -> int:
        """How many models that key was forbidden to retry since a retry of any was last accepted or
        refused."""

    # The queue for the fleet's places: see `domain.queue`

    def ahead(self, rank: int, ready_at: datetime, model_id: str, *, seen_since: datetime) -> int:
        """How many other targets in the queue go before one: by rank, then by since when they are
        ready, then by id. One that was not seen since `seen_since` has lost its place."""

    def first_waiting(self, reason: DecisionReason) -> str | None:
        """The id of the first watched one in the queue that waits for that."""

    def leave_queue(self, model_id: str) -> None:
        """It cannot be seen now, so the others need not wait for it. No change of its version."""

    def episodes(self, model_id: str | None, *, limit: int) -> Sequence[Episode]:
        """Newest first."""

    def attempt_history(self, model_id: str | None, *, limit: int) -> Sequence[Attempt]:
        """Newest first, `dry_run` ones included in either mode."""

    def add_statuses(self, changes: Sequence[StatusChange]) -> None:
        """Write what targets were seen to change to, in place of others of the same moment."""

    def statuses(self, since: datetime, model_id: str | None = None) -> Sequence[StatusChange]:
        """What each target changed to since then, or one of them, after what it was at that
        moment, where that is known: by model id, oldest first."""

    # What operators did

    def add_action(self, action: Action) -> None: ...

    def end_pauses(self, model_id: str | None, at: datetime) -> int:
        """End the pauses in force of one model, or with None the one of all; how many there
        were."""

    def pauses(self) -> Sequence[Action]:
        """Those in force, the latest to expire first."""

    def actions(self, model_id: str | None, *, limit: int) -> Sequence[Action]:
        """Newest first; of one model with those of all, or every one."""

    def actions_after(self, action_id: int) -> Sequence[Action]:
        """Oldest first."""

    # What was found out of episodes

    def note_error_lines(self, episode_id: str, lines: tuple[str, ...]) -> None: ...

    def note_actor(self, episode_id: str, actor: str) -> None: ...

    def findings(self, model_id: str) -> Mapping[str, Finding]:
        """By episode id, where there are any."""

    # The replicas

    def save_replica(self, replica: Replica) -> None:
        """Write what a replica says of itself. One that is active takes that from all others."""

    def remove_replica(self, replica_id: str) -> None: ...

    def replicas(self) -> Sequence[Replica]:
        """The active one first, then the longest running."""

    def configure(self, replica_id: str, model_ids: Collection[str]) -> None:
        """Write which models a replica is configured with, in place of what it was before."""

    def configured(self, replica_ids: Collection[str]) -> frozenset[str]:
        """The models that any of these replicas is configured with."""

    # The breaker

    def broken(
        self, since: datetime, *, among: Collection[str] | None, but: str | None, most: int
    ) -> Sequence[datetime]:
        """The newest `most` moments later than `since` at which targets began to fail, `but` that
        of one target: those `among` these ids, or with None the watched ones."""

    def not_failing(
        self, since: datetime, *, among: Collection[str] | None, but: str | None
    ) -> int:
        """How many targets, `but` one, are not failing, were observed more than once, and did not
        begin to fail later than `since`. `among` as in `broken`."""

    def waiting(
        self, reason: DecisionReason | None = None, *, among: Collection[str] | None
    ) -> Sequence[str]:
        """The ids of the failing targets that wait, for that reason or for any. `among` as in
        `broken`."""

    def seen(self, since: datetime) -> Sequence[str]:
        """The ids of the targets that a daemon planned to check, or anybody recorded an
        observation of, later than `since`: but for those that were removed."""

    def opening(self) -> Opening | None:
        """The present opening of the breaker, if it is open."""

    def last_closed(self) -> datetime | None:
        """When the breaker last closed."""

    def last_canary(self, opening_id: str) -> Canary | None: ...

    def canary_times(self) -> Mapping[str, datetime]:
        """When each target was named as canary last, by model id."""

    def save_opening(self, opening: Opening) -> None: ...

    def save_canary(self, canary: Canary) -> None: ...

    def attempt(self, attempt_id: str) -> Attempt | None: ...

    def openings(self, *, limit: int) -> Sequence[Opening]:
        """Newest first."""

    def canaries(self, *, limit: int) -> Sequence[Canary]:
        """Newest first."""

    # Schedule and housekeeping

    def clamp_future(self) -> None:
        """Move what delays are counted from and lies ahead of now to now: the clock was set
        back. Of attempts that were sent ahead of now write instead since when that is
        known, now if it was not before; and nothing of those that no longer are."""

    def make_due(self, model_id: str, at: datetime) -> None:
        """Have a target checked at a moment, if that is earlier than planned."""

    def spread_checks(self, within: timedelta) -> None:
        """Have every watched target checked within so long from now, each at its own moment."""

    def prune(self, before: datetime, *, dated: datetime | None = None) -> int:
        """Delete the closed episodes that ended before with their attempts, unless one of these is
        later than `dated` by the API's clock, the openings of the breaker that closed before with
        their canaries, and the statuses that had given way to another before; how many rows went.
        """


class Ledger(Protocol):
    """The durable record, and the only thing the limits are computed from."""

    async def transact(self, work: Callable[[LedgerTransaction], T]) -> T:
        """Run `work` in one serialised, durable transaction, and roll back if it raises.

        Raises LedgerUnavailable; what `work` raises passes through, and so does what the database
        says of a value that it cannot store, which is a bug and no outage. Transactions never
        overlap. A caller that is cancelled gives up the result and not the work, which runs in its
        turn.
        """

    async def hold_active(self) -> int:
        """0 while another process is the active one. If none is, this one is from now on.

        Then it is the number of the term, another one whenever somebody else may have been active
        in between. Raises LedgerUnavailable when that cannot be told.
        """

    async def release_active(self) -> bool:
        """Let another process be the active one; False where there can be no other."""

    def knows_dead(self, owner: str, waited: timedelta) -> bool:
        """Whether an owner that was last heard of so long ago surely sends nothing more of what it
        had reserved by then."""
