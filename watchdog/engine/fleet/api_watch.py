"""Distinguishes failures that are common to all targets from failures of one target."""

from collections import Counter
from datetime import timedelta

from watchdog.domain.records import Target
from watchdog.engine.events import ApiDown, ApiRecovered, CheckFailed
from watchdog.engine.ports import AnswerLost, ApiError, Clock, Held, Listener, NotSent
from watchdog.engine.settings import LiveSettings

_COMMON_FAILURES = 3
"""Declare an outage after this many failures in a row of targets whose previous look was answered.
If all watched targets fail, every failure counts."""

_LONGEST_INTERVAL = timedelta(minutes=5)
"""Short enough that all targets are checked again soon after an outage has ended."""

_TELL_EVERY = 10


class ApiWatch:
    """Follows how each look ended, and says whether the API is down. A failure that may be the
    first of an outage is reported only when the answer about another target shows that it is
    not."""

    def __init__(self, clock: Clock, listener: Listener, live: LiveSettings) -> None:
        self._clock = clock
        self._listener = listener
        self._live = live
        self._in_a_row: Counter[str] = Counter()
        self._untold: dict[str, CheckFailed] = {}
        self._answered: set[str] = set()
        self._failing: set[str] = set()
        self._newly_failing = 0
        self._failures = 0
        self._answered_at = float("-inf")
        self._down_since: float | None = None
        self._hasten = False

    @property
    def interval(self) -> timedelta:
        """The interval between two checks of a target. While the API is down it is the time that it
        has been down, at least twice the usual interval and at most five minutes; but never less
        than the usual interval."""
        usual = self._live.current.effective_interval
        if self._down_since is None:
            return usual
        down_for = timedelta(seconds=self._clock.monotonic() - self._down_since)
        return max(usual, min(max(2 * usual, down_for), _LONGEST_INTERVAL))

    def errs(self, model_id: str) -> bool:
        """Whether the last look at the target failed."""
        return model_id in self._in_a_row

    def take_recovery(self) -> bool:
        """Whether the API answered again since the last call: then delayed checks should not wait
        for their whole delay."""
        hasten, self._hasten = self._hasten, False
        return hasten

    def answered(self, model_id: str) -> None:
        """A look at the target ended as an observation, or as an absence that a listing
        confirmed."""
        self._in_a_row.pop(model_id, None)
        self._note_answer(model_id)

    def _note_answer(self, model_id: str) -> None:
        """The API answered, perhaps with an error."""
        self._answered_at = self._clock.monotonic()
        self._answered.add(model_id)
        self._failing.clear()
        self._newly_failing = self._failures = 0
        for event in self._untold.values():
            self._listener(event)
        self._untold.clear()
        if self._down_since is not None:
            down_for = timedelta(seconds=self._answered_at - self._down_since)
            self._down_since = None
            self._in_a_row.clear()
            self._hasten = True
            self._listener(ApiRecovered(after=down_for))

    def failed(self, target: Target, error: ApiError, started: float) -> None:
        """A look at the target, begun at the monotonic time `started`, failed."""
        if isinstance(error, Held):
            return  # A hold is one event, not one for each target that waits because of it.
        unanswered = isinstance(error, (AnswerLost, NotSent))
        if not unanswered:
            self._note_answer(target.model_id)
        self._in_a_row[target.model_id] += 1
        in_a_row = self._in_a_row[target.model_id]
        event = CheckFailed(target=target, code=error.code, error=str(error), in_a_row=in_a_row)
        # What was answered while this look was under way shows that the API is up.
        common = unanswered and started >= self._answered_at
        if common:
            self._note_common(target.model_id, error)
        if unanswered:
            self._answered.discard(target.model_id)
        if self._down_since is None and (in_a_row == 1 or in_a_row % _TELL_EVERY == 0):
            if common:
                self._untold[target.model_id] = event
            else:
                self._listener(event)

    def _note_common(self, model_id: str, error: ApiError) -> None:
        self._failing.add(model_id)
        self._failures += 1
        self._newly_failing += model_id in self._answered
        all_fail = len(self._failing) >= len(self._live.current.models)
        common = self._newly_failing if not all_fail else self._failures
        if self._down_since is None and common >= _COMMON_FAILURES:
            self._down_since = self._clock.monotonic()
            self._untold.clear()
            self._listener(ApiDown(code=error.code, error=str(error), failures=self._failures))
