"""The judge can tell right from wrong: runs made by hand, as the tap, the emulator and the ledger
would note them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.chaos import fleet
from tests.chaos.judge import Evidence, judge
from tests.chaos.ledger import Row, still_due
from tests.chaos.replica import Life
from tests.chaos.tap import Note
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
        owner, attempt_id = f"daemon:host:{client}", f"a{len(self.rows)}"
        self.rows.append(Row(attempt_id, MODEL, owner, "e1", outcome, at, at + 0.2))

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
        """The rules that were."""
        evidence = Evidence(
            scenario=SCENARIO,
            notes=self.notes,
            records=self.records,
            lives=tuple(self.lives.values()),
            happened=(),
            rows=self.rows,
            statuses={},
            due={},
            ended_at=1000.0,
        )
        return {violation.rule for violation in judge(evidence)[1]}


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """A retry as it should be."""
    made = Story(tmp_path)
    made.look(8.0, FIRST)
    made.attempt(10.1, FIRST)
    made.look(10.2, FIRST)
    made.post(10.3, FIRST)
    return made


@pytest.fixture
def late_story(tmp_path: Path) -> Story:
    """One replica reserves, and sends only when another one took its attempt for lost."""
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


def test_a_run_as_it_should_be_is_not_reproached(story: Story) -> None:
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
def test_whether_a_sender_that_was_stopped_heard_the_answer_it_alone_can_tell(
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
