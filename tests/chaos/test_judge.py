"""The judge can tell correct runs from wrong ones: runs made by hand, as the tap, the emulator and
the ledger would record them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.chaos import fleet
from tests.chaos.judge import Evidence, judge
from tests.chaos.ledger import Row, still_due
from tests.chaos.put_backs import PutBack
from tests.chaos.replica import Life
from tests.chaos.tap import Note
from tests.simulation.log import Happened
from watchdog.emulator import RequestRecord

MODEL = "never0"
SCENARIO = fleet.make(1, 60)
RULES = SCENARIO.rules(MODEL)
NOW = datetime(2026, 8, 1, tzinfo=UTC)
FIRST, SECOND = "daemon-0.1", "daemon-1.1"


@dataclass
class Story:
    """Two replicas and one model that fails. Everything is answered after a millisecond."""

    folder: Path
    lives: dict[str, Life] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    records: list[RequestRecord] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    happened: list[Happened] = field(default_factory=list)
    put_backs: list[PutBack] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in (FIRST, SECOND):
            log = self.folder / f"{name}.log"
            log.write_text(json.dumps({"event": "started", "replica": f"daemon:host:{name}"}))
            self.lives[name] = Life(name, log, started=0.0, ended=1000.0, code=0)

    def look(self, at: float, client: str, status: str = "BUILD_FAILED") -> None:
        answer = {"status": status, "id": "d1", "created_at": "then"}
        self._note(at, client, answer, "get_deployment", status, status)

    def post(self, at: float, client: str, status: str = "BUILD_FAILED") -> None:
        retried = status == "BUILD_FAILED"
        after = "BUILDING" if retried else status
        self._note(at, client, {"retried": retried}, "retry", status, after)

    def attempt(self, at: float, client: str, outcome: str = "accepted") -> None:
        owner, attempt_id = f"daemon:host:{client}", f"a{at:g}"
        self.rows.append(Row(attempt_id, MODEL, owner, "e1", outcome, at, at + 0.2))

    def retry(self, at: float, client: str, look_at: float | None = None) -> None:
        """A correct retry of a model that was seen failing at `look_at`; it fails again."""
        self.look(at - 4.5 if look_at is None else look_at, client)
        self.attempt(at, client)
        self.look(at + 0.1, client)
        self.post(at + 0.2, client)
        self.look(at + 2, client, "BUILDING")

    def go_back(self, at: float, *, lost: int) -> None:
        """The ledger loses the last of its attempts."""
        before = tuple(self.rows)
        self.rows = self.rows[:-lost]
        self.put_backs.append(PutBack.of(at, at, before, self.rows))
        self.happened.append(Happened(at, "put back", "ledger"))

    def says_it_went_back(self, at: float, client: str) -> None:
        """And the attempts of that process are in the ledger again."""
        line = {
            "event": "ledger_went_back",
            "timestamp": datetime.fromtimestamp(at, UTC).isoformat(),
        }
        with self.lives[client].log.open("a") as log:
            log.write(f"\n{json.dumps(line)}")
        self.rows += self.put_backs[-1].lost

    def jump(self, at: float, ahead: float) -> None:
        self.happened.append(Happened(at, "jump", "ledger", wall=ahead))

    def _note(
        self,
        at: float,
        client: str,
        answer: Mapping[str, object],
        operation: str,
        before: str,
        after: str,
    ) -> None:
        note = Note(len(self.notes), client, at, at + 0.001, answer)
        self.notes.append(note)
        self.records.append(
            RequestRecord(
                at=NOW,
                method="",
                path="",
                operation=operation,
                model_id=MODEL,
                code=200,
                status=before,
                status_after=after,
                executed=True,
                retried=answer.get("retried") is True,
                client=note.peer,
            )
        )

    def broken(self) -> set[str]:
        """The rules that were broken."""
        evidence = Evidence(
            scenario=SCENARIO,
            notes=self.notes,
            records=self.records,
            lives=tuple(self.lives.values()),
            happened=self.happened,
            rows=self.rows,
            put_backs=self.put_backs,
            statuses={},
            due={},
            ended_at=1000.0,
        )
        return {violation.rule for violation in judge(evidence)[1]}


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """A correct retry."""
    made = Story(tmp_path)
    made.look(8.0, FIRST)
    made.attempt(10.1, FIRST)
    made.look(10.2, FIRST)
    made.post(10.3, FIRST)
    return made


@pytest.fixture
def late_story(tmp_path: Path) -> Story:
    """One replica reserves, and sends only after another one has taken its attempt for lost."""
    made = Story(tmp_path)
    made.look(8.0, SECOND)
    made.attempt(10.1, SECOND, "refused")
    made.look(10.2, SECOND)
    made.look(45.0, FIRST)
    made.attempt(47.1, FIRST)
    made.look(47.2, FIRST)
    made.post(47.3, FIRST)
    made.post(47.5, SECOND, "BUILDING")
    return made


def test_a_correct_run_breaks_no_rule(story: Story) -> None:
    assert story.broken() == set()


def test_a_post_that_was_sent_twice_is_found(story: Story) -> None:
    story.post(10.4, FIRST)
    assert story.broken() == {"accounting", "look again", "delay"}


def test_a_post_without_an_attempt_is_found(story: Story) -> None:
    story.rows.clear()
    assert story.broken() == {"accounting"}


def test_an_answer_that_was_heard_and_not_recorded_is_found(story: Story) -> None:
    story.rows[0].outcome = "unknown"
    story.look(100.0, FIRST, "BUILDING")
    assert story.broken() == {"accounting"}


def test_a_post_while_that_of_another_replica_was_under_way_is_found(late_story: Story) -> None:
    assert late_story.broken() == {"not failing", "look again", "delay"}


def test_a_sender_that_was_stopped_at_the_last_moment_could_not_know(late_story: Story) -> None:
    late_story.lives[SECOND].frozen.append((10.25, 47.4))
    assert late_story.broken() == set()


@pytest.mark.parametrize(
    ("outcome", "broken"),
    [("accepted", set()), ("unknown", set()), ("abandoned", {"accounting"})],
)
def test_only_the_record_of_a_stopped_sender_shows_whether_it_got_the_answer(
    story: Story, outcome: str, broken: set[str]
) -> None:
    story.lives[FIRST].frozen.append((10.3005, 55.3))
    story.rows[0].outcome = outcome
    story.look(100.0, FIRST, "BUILDING")
    assert story.broken() == broken


def test_a_model_that_is_left_failing_is_due_until_a_limit_is_reached(story: Story) -> None:
    statuses: dict[str, str | None] = {model.id: "ACTIVE" for model in SCENARIO.models}

    def due(episode: str = "e1", now: float = 100.0) -> list[str]:
        return list(still_due(SCENARIO, story.rows, {MODEL: episode}, statuses, now))

    assert due() == []
    statuses[MODEL] = "BUILD_FAILED"
    assert due() == [MODEL]
    story.rows *= RULES.max_attempts
    assert due() == []
    assert due("e2") == [MODEL]
    story.rows *= 2
    assert due("e2") == []
    assert due("e2", now=RULES.window + 11) == [MODEL]
    story.rows.append(replace(story.rows[0], outcome="pending"))
    assert due() == [MODEL]


@pytest.fixture
def spent_story(tmp_path: Path) -> Story:
    """All that an episode allows is sent when the ledger goes back to before that."""
    made = Story(tmp_path)
    for at in (10, 20, 30):
        made.retry(at, FIRST)
    made.look(38.0, FIRST)
    made.go_back(40.0, lost=3)
    return made


def goes_on(story: Story, client: str) -> None:
    """One more is sent than the window allows."""
    for at in (60, 70):
        story.retry(at, client)


def test_an_attempt_that_no_process_could_put_back_does_not_count_for_others(
    spent_story: Story,
) -> None:
    spent_story.lives[FIRST].ended, spent_story.lives[FIRST].killed = 39.0, True
    goes_on(spent_story, SECOND)
    assert spent_story.broken() == set()


def test_what_was_sent_before_a_put_back_counts_for_its_sender_at_once(spent_story: Story) -> None:
    goes_on(spent_story, FIRST)
    spent_story.rows += spent_story.put_backs[0].lost
    assert spent_story.broken() == {"window"}


def test_what_was_put_back_counts_for_others_too(spent_story: Story) -> None:
    spent_story.says_it_went_back(50.0, FIRST)
    goes_on(spent_story, SECOND)
    assert spent_story.broken() == {"window"}


def test_what_is_put_back_only_later_does_not_count_for_others_until_then(
    spent_story: Story,
) -> None:
    spent_story.lives[FIRST].frozen.append((38.5, 83.5))
    spent_story.says_it_went_back(84.0, FIRST)
    goes_on(spent_story, SECOND)
    assert spent_story.broken() == set()
    spent_story.retry(95, SECOND)
    assert spent_story.broken() == {"window"}


@pytest.mark.parametrize(("trouble", "broken"), [("storm", {"put back"}), ("database stop", set())])
def test_a_sender_that_failed_to_put_its_attempt_back_is_found(
    spent_story: Story, trouble: str, broken: set[str]
) -> None:
    spent_story.happened.append(Happened(41.0, "chaos", trouble))
    spent_story.look(47.0, FIRST)
    assert spent_story.broken() == broken


def test_a_sender_that_had_ended_or_stood_by_or_was_stopped_could_not_put_it_back(
    spent_story: Story,
) -> None:
    assert spent_story.broken() == set()
    spent_story.look(47.0, FIRST)
    assert spent_story.broken() == {"put back"}
    spent_story.lives[FIRST].frozen.append((41.0, 42.0))
    assert spent_story.broken() == set()


def test_another_ledger_excuses_no_post_that_it_did_not_lose(spent_story: Story) -> None:
    spent_story.lives[FIRST].ended, spent_story.lives[FIRST].killed = 39.0, True
    for at in (60, 70, 80, 90, 100):
        spent_story.retry(at, SECOND)
    assert spent_story.broken() == {"episode", "window"}


def test_a_clock_that_jumps_shortens_delays_and_no_window(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.retry(10, FIRST)
    story.jump(15.0, 90_000.0)
    story.retry(16, FIRST, look_at=14.9)
    story.jump(30.0, 0.0)
    assert story.broken() == set()
    for at in (60, 70, 80):
        story.happened.append(Happened(at - 8, "act", MODEL))
        story.retry(at, FIRST)
    assert story.broken() == {"window"}


def test_far_from_a_jump_a_delay_is_as_long_as_ever(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.jump(15.0, 90_000.0)
    story.retry(60, FIRST, look_at=59.5)
    assert story.broken() == {"delay"}
