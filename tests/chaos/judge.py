"""Makes the log that the simulation's checker reads from what was noted, and runs the checker.

All processes are on one machine, so the time since the start is everybody's clock. What cannot be
known from outside is guessed as follows:
- a request left when it arrived. If its sender was stopped by a signal between its look and its
  POST it left when it was stopped: it looked and reserved before, and nobody can keep it from
  sending then. It counts as having been on its way for all that time;
- an answer was heard when it was sent, if the sender lived. If that is in doubt - it was stopped or
  ended about then, or near its time-out - its own record in the ledger tells whether it heard.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.fleet import settles_after, to_be_checked
from tests.chaos.heard import Heard, not_heard
from tests.chaos.ledger import Outbox, Row
from tests.chaos.put_backs import HEARD, Lost, PutBack, all_rows
from tests.chaos.replica import Life
from tests.chaos.tap import Note
from tests.simulation.accounting import attempt_of
from tests.simulation.checker import check_safety
from tests.simulation.log import Happened, Kind, Log, Operation, Request
from tests.simulation.result import Result
from tests.simulation.scenario import Scenario
from tests.simulation.verdict import Violation
from watchdog.emulator import RequestRecord

_OPERATIONS: dict[str, Operation] = {
    "get_deployment": "look",
    "retry": "retry",
    "list_models": "list",
}

_NEAR_TIMEOUT = 0.7

_RECORDED_SECONDS = 12.0
"""How long it may take to record an answer: the database may be away then. A process that is
stopped in this time and then killed recorded nothing."""


@dataclass(frozen=True)
class Evidence:
    """What was noted while it ran, and what was found at the end: the ledger's `rows`, the true
    `statuses`, what was still `due`, and the `outbox`. `heard` is what the receiver got. It began
    `began_at`, in seconds since the epoch."""

    scenario: Scenario
    notes: Sequence[Note]
    records: Sequence[RequestRecord]
    lives: Sequence[Life]
    happened: Sequence[Happened]
    rows: Sequence[Row]
    statuses: dict[str, str | None]
    due: Mapping[str, str]
    ended_at: float
    problems: Sequence[str] = ()
    put_backs: Sequence[PutBack] = ()
    began_at: float = 0.0
    heard: Sequence[Heard] = ()
    outbox: Outbox = field(default_factory=Outbox)


def judge(evidence: Evidence) -> tuple[Log, list[Violation]]:
    """The log, and the broken rules in the order of time."""
    scenario, ended_at = evidence.scenario, evidence.ended_at
    builder = _Builder(evidence)
    log, attempts = builder.build()
    result = Result(to_be_checked(scenario), log, attempts, evidence.statuses, (), ended_at, ())
    found = [
        *check_safety(result),
        *builder.lost.not_put_back(builder.sent, evidence.rows),
        *not_heard(evidence.heard, evidence.outbox, evidence.put_backs, ended_at),
        *(Violation("liveness", ended_at, model_id, why) for model_id, why in evidence.due.items()),
        *(Violation("internal error", ended_at, None, text) for text in evidence.problems),
    ]
    return log, sorted(found, key=lambda each: each.at)


@dataclass
class _Builder:
    """`owners` are the names of the lives, by what they sign with; `looks` is when each client
    last looked at each model, `retries` how many each had; `sent` are the ledger's ids of the
    attempts that had a POST."""

    evidence: Evidence
    owners: dict[str | None, str] = field(init=False)
    lost: Lost = field(init=False)
    log: Log = field(default_factory=Log)
    looks: dict[tuple[str, str], float] = field(default_factory=dict)
    retries: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    sent: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        evidence = self.evidence
        lives = {life.owner: life for life in evidence.lives}
        self.owners = {owner: life.name for owner, life in lives.items()}
        self.lost = Lost(
            evidence.put_backs, lives, evidence.notes, evidence.happened, evidence.began_at
        )

    def build(self) -> tuple[Log, list[dict[str, Any]]]:
        rows = all_rows(self.evidence.rows, self.evidence.put_backs)
        attempts = [self._attempt(row) for row in rows]
        self._happened()
        lives = {life.name: life for life in self.evidence.lives}
        records = {record.client: record for record in self.evidence.records}
        known = [
            (note, record, lives[note.client])
            for note in self.evidence.notes
            if (record := records.get(note.peer)) is not None and record.operation in _OPERATIONS
        ]
        requests = [(self._request(*each), *each) for each in known]
        for request, note, record, life in requests:
            if record.code is not None and note.answered is not None:
                request.delivered = self._delivered(request, note.answered, life, attempts)
        for post in (each[0] for each in requests if each[0].operation == "retry"):
            self._note_lost(post, attempts)
        self.log.requests = [each[0] for each in requests]
        # A POST whose sender was stopped comes where that was, after its look.
        self.log.requests.sort(key=lambda each: (each.departed, each.operation == "retry"))
        for number, request in enumerate(self.log.requests):
            request.number = number
        return self.log, attempts

    def _attempt(self, row: Row) -> dict[str, Any]:
        """As the checker wants it: signed by a life, and named after it."""
        client = self.owners.get(row.owner, "nobody")
        attempt_id = f"{client}/{row.id}"
        self.log.begun[attempt_id] = row.reserved_at
        return {
            "id": attempt_id,
            "model_id": row.model_id,
            "owner": f"daemon:{client}",
            "row_owner": row.owner,
            "outcome": row.outcome,
            "resolution": row.resolution,
        }

    def _note_lost(self, post: Request, attempts: Sequence[dict[str, Any]]) -> None:
        attempt = attempt_of(post, attempts, self.log)
        if attempt is not None and post.fault != "refuse":
            _, _, row_id = attempt["id"].partition("/")
            self.sent.add(row_id)
            post.lacking = self.lost.spans(row_id, attempt["row_owner"])

    def _happened(self) -> None:
        for life in self.evidence.lives:
            self.log.happened.append(Happened(life.started, "start", life.name, detail="retry"))
            if life.ended is not None:
                how: Kind = "kill" if life.killed else "stop"
                self.log.happened.append(Happened(life.ended, how, life.name))
        self.log.happened += self.evidence.happened
        self.log.happened.sort(key=lambda one: one.at)

    def _request(self, note: Note, record: RequestRecord, life: Life) -> Request:
        operation, model_id = _OPERATIONS[record.operation or ""], record.model_id or ""
        request = Request(
            number=note.number,
            client=note.client,
            operation=operation,
            model_id=model_id,
            departed=note.arrived,
            clock=note.arrived,
            arrived=note.arrived,
            before=record.status,
            after=record.status_after,
            executed=record.executed and record.retried is True,
            code=record.code,
            fault=_fault(record),
        )
        _read(note.answer, request)
        if operation == "look":
            self.looks[note.client, model_id] = note.arrived
        elif operation == "retry":
            self._post(request, life)
        return request

    def _post(self, post: Request, life: Life) -> None:
        arrived, model_id = post.departed, post.model_id
        looked = self.looks.get((post.client, model_id), arrived)
        if frozen := [since for since, until in life.frozen if looked < until <= arrived]:
            post.stopped = True
            post.departed = post.clock = max(frozen[0], looked)
        if post.executed:
            self.retries[model_id] += 1
            plan = self.evidence.scenario.model(model_id)
            nth = self.retries[model_id] + self._pushes(model_id, arrived)
            post.settles_at = arrived + settles_after(plan, nth)

    def _pushes(self, model_id: str, until: float) -> int:
        return sum(
            one.kind == "act" and one.who == model_id and one.at <= until
            for one in self.evidence.happened
        )

    def _delivered(
        self, request: Request, answered: float, life: Life, attempts: Sequence[dict[str, Any]]
    ) -> float | None:
        if life.ended is not None and life.ended <= answered:
            return None
        scenario = self.evidence.scenario
        arrived, acted = request.arrived or 0.0, answered + scenario.reaction
        took = answered - arrived
        if request.operation != "retry":
            return answered if took < scenario.timeout else None
        in_doubt = (
            took > _NEAR_TIMEOUT * scenario.timeout
            or (life.ended is not None and life.ended <= acted)
            or any(
                since <= answered + _RECORDED_SECONDS and until >= arrived
                for since, until in life.frozen
            )
        )
        if not in_doubt:
            return answered
        attempt = attempt_of(request, attempts, self.log)
        return answered if attempt is None or attempt["outcome"] in HEARD else None


def _fault(record: RequestRecord) -> str | None:
    """The first one, in the checker's words."""
    name = next(iter(record.faults), None)
    return "retried_yes" if name == "retried_text" else name


def _read(body: Mapping[str, Any], request: Request) -> None:
    """What the answer really said."""
    request.retry_after = body.get("retry_after")
    if request.operation == "retry":
        request.retried = body.get("retried")
    elif request.operation == "look" and request.code == 200 and "status" in body:
        request.served = body["status"]
        request.ref = f"{body['id']}@{body['created_at']}"
