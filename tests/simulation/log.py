"""What the API saw: the only thing that the checker goes by, beside the scenario."""

from dataclasses import dataclass, field
from typing import Literal

from tests.simulation.scenario import NEVER

Operation = Literal["look", "retry", "list", "audit"]

Kind = Literal[
    "start", "kill", "stop", "act", "step", "suspend", "calm", "chaos", "jump", "put back"
]


@dataclass(slots=True)
class Request:
    """One request. Moments are seconds of true time since the start; None: it never happened.

    `client` is the process that sent it, `clock` what that read as the time (as a Date header
    would tell), in seconds since the start. `before` and `after` are the true status when it was
    executed or looked at. `served`, `ref` are what the answer said; `code` is None when there was
    no HTTP answer. `about` is what the answer was about, if not the slot that was asked for.
    `settles_at` is when what a retry began comes to rest. `stale` tells that the answer lagged
    behind the truth; `fault` what was done to it. `stopped`: its sender was, by a
    signal, at the very last moment; it counts as having left then. `lacking` are the spans in
    which the ledger had no row of it, and only its sender knew of it.
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
    """Something that was not a request: a process's life, a person's act, a clock step.

    `wall` is how far the wall clock then was ahead of true time. A jump is one of the clock of a
    ledger that several processes share; `wall` is then how far that is ahead. Put back is an older
    ledger, in place of the present one.
    """

    at: float
    kind: Kind
    who: str
    wall: float = 0.0
    detail: str = ""

    def line(self) -> str:
        return f"{self.at:11.3f} -- {self.kind} {self.who} wall{self.wall:+g} {self.detail}"


@dataclass(slots=True)
class Log:
    """Requests in the order of their departure, and what else happened, each in order. `begun` is
    when each attempt's id was drawn, which comes right before its reservation."""

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
