"""What the API saw. Apart from the scenario the checker uses nothing else."""

from dataclasses import dataclass, field
from typing import Literal

from tests.simulation.scenario import NEVER

Operation = Literal["look", "retry", "list", "audit", "logs", "startups"]

Kind = Literal[
    "start", "kill", "stop", "act", "step", "suspend", "calm", "chaos", "jump", "put back"
]


@dataclass(slots=True)
class Request:
    """One request. Moments are seconds of true time since the start; None means that it never
    happened.

    `client` is the process that sent it; `clock` is the time that this process read when it sent
    it, in seconds since the start. `before` and `after` are the true status before and after it was
    executed. `served` and `ref` are the status and identity in the answer; `code` is None if there
    was no HTTP answer. `about` says what the answer was about, if not the requested slot.
    `settles_at` is when the build that a retry began ends. `stale`: the answer lagged behind the
    truth. `fault` is the fault that was applied to it. `stopped`: a signal stopped its sender just
    before it was sent; it counts as sent at that time. `lacking` are the time spans in which the
    ledger had no row of it, so that only its sender knew of it.
    """

    number: int
    client: str
    operation: Operation
    model_id: str
    departed: float
    clock: float
    arrived: float | None = None
    before: str | None = None
    after: str | None = None
    executed: bool = False
    settles_at: float | None = None
    code: int | None = None
    served: str | None = None
    ref: str | None = None
    retried: object = None
    retry_after: object = None
    stale: bool = False
    fault: str | None = None
    delivered: float | None = None
    stopped: bool = False
    about: str | None = None
    lacking: tuple[tuple[float, float], ...] = ()

    def line(self) -> str:
        answer = "-" if self.code is None else str(self.code)
        if self.served is not None:
            answer += f" {self.served} {self.ref}"
        if self.about is not None:
            answer += f" about {self.about}"
        if self.operation == "retry":
            answer += f" retried={self.retried}"
        if self.retry_after is not None:
            answer += f" retry_after={self.retry_after!r}"
        marks = [
            mark
            for mark in (
                "EXECUTED" if self.executed else "",
                f"truth={self.before}->{self.after}" if self.arrived is not None else "lost before",
                "STALE" if self.stale else "",
                f"SENDER STOPPED, arrived {self.arrived:.3f}" if self.stopped else "",
                f"fault={self.fault}" if self.fault else "",
                "undelivered" if self.delivered is None else f"delivered {self.delivered:.3f}",
            )
            if mark
        ]
        return (
            f"{self.departed:11.3f} #{self.number} {self.client} {self.operation} {self.model_id} "
            f"{answer} [{', '.join(marks)}]"
        )


@dataclass(frozen=True, slots=True)
class Happened:
    """An event that was not a request: a start or end of a process, an operator's act, a clock
    step. `wall` is by how much the wall clock was then ahead of true time. A `jump` is one of the
    clock of a ledger that several processes share; `wall` is then by how much that clock is ahead.
    `put back`: an older ledger was put in place of the present one."""

    at: float
    kind: Kind
    who: str
    wall: float = 0.0
    detail: str = ""

    def line(self) -> str:
        return f"{self.at:11.3f} -- {self.kind} {self.who} wall{self.wall:+g} {self.detail}"


@dataclass(slots=True)
class Log:
    """Requests in the order of sending, and other events in the order of time. `begun` is when each
    attempt's id was made, which is directly before its reservation."""

    requests: list[Request] = field(default_factory=list)
    begun: dict[str, float] = field(default_factory=dict)
    happened: list[Happened] = field(default_factory=list)

    def lines(self, *, model_id: str | None = None, since: float = 0, until: float = NEVER) -> str:
        entries = [
            (request.departed, request.line())
            for request in self.requests
            if model_id in (None, request.model_id) and since <= request.departed <= until
        ]
        entries += [
            (one.at, one.line())
            for one in self.happened
            if (one.kind != "act" or model_id in (None, one.who)) and since <= one.at <= until
        ]
        return "\n".join(line for _, line in sorted(entries, key=lambda entry: entry[0]))
