"""What a row of the table is, and how it is played."""

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.processes import KEY, PATIENCE_SECONDS, Model, command, environment
from tests.hostile.emulated import Emulated, emulated
from tests.hostile.seen import READY, Seen, retried, state, status, until
from tests.hostile.stage import Stage, is_safe_to_read, make_stage

VICTIM = "v1ctim"
NEIGHBOUR = "ne1ghb0r"

WELL = (["ACTIVE"], [{"BUILDING": "300ms"}, "ACTIVE"])
"""A model that is well, and that a retry heals."""
FAILS_AGAIN = (["BUILD_FAILED"], [{"BUILDING": "2s"}, "BUILD_FAILED"])
"""A retry of it fails."""
BUILDS_ON = (["BUILD_FAILED"], ["BUILDING"])
"""A retry of it builds until a test says how that ends: see `build_fails`."""

NO_LIMITS: dict[str, dict[str, Any]] = {
    "baseten": {"max_requests_per_second": 100},
    "fleet": {
        "max_retries_per_minute": 1000,
        "max_in_flight": 1000,
        "breaker": {"min_failures": 1000, "max_failures": 1000},
    },
}
NO_RATE_LIMITS = {"limits": {"requests_per_second": None, "retries_per_minute": None}}

Cause = Callable[[Stage], AbstractContextManager[None]]
CauseOfOne = Callable[[Stage, str], AbstractContextManager[None]]
"""What happens to one model."""


def model(model_id: str, deploys: Sequence[Sequence[Any]] = WELL) -> Model:
    return {"id": model_id, "name": model_id, "deploys": deploys}


@dataclass(frozen=True)
class Call:
    """One run of the command line to its end."""

    arguments: Sequence[str | Path]
    env: Mapping[str, str | None] = field(default_factory=dict)
    launcher: Sequence[str] = ()
    during: AbstractContextManager[Any] = field(default_factory=nullcontext)

    def run(self) -> subprocess.CompletedProcess[str]:
        env = {**environment(), **self.env}
        return subprocess.run(
            [*self.launcher, *command(*self.arguments)],
            env={name: value for name, value in env.items() if value is not None},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )


@dataclass(frozen=True)
class Refused:
    """A start, or a command, that ends at once with one line that says what to do."""

    id: str
    wrong: str
    arrange: Callable[[Stage], Call]
    says: tuple[str, ...]

    def play(self, folder: Path, api: Emulated) -> None:
        with make_stage(folder, api, [VICTIM]) as stage:
            call = self.arrange(stage)
            with call.during:
                done = call.run()
        assert done.returncode not in (0, 1), done
        assert done.stdout == ""
        lines = done.stderr.splitlines()
        assert len(lines) == 1, done.stderr
        assert lines[0].startswith("error: ")
        assert len(lines[0]) < 400
        for text in self.says:
            assert text in lines[0]
        assert is_safe_to_read(done.stderr)


class Meanwhile(Enum):
    """What becomes of the healthy neighbour, which starts to fail while the cause is there."""

    RETRIED = "it is retried and recovers, as ever"
    WATCHED = "it is watched on, its failure is seen, and nothing is sent"
    LATER = "it fails and is retried afterwards: nothing is certain while the cause is there"


@dataclass(frozen=True, kw_only=True)
class OneDaemon:
    """Something that happens to a running daemon: it is seen, the others go on, and it passes.

    `begins` is how the daemon is started, None if the cause starts it. `seen` holds while the cause
    is there, and `then` once it is gone; each is waited for. `models` are the emulator's, beside
    the neighbour, and all of them are watched; if there are none, the victim is watched although
    the emulator does not know it. `settings` are the daemon's, `scenario` the emulator's.
    """

    id: str
    wrong: str
    cause: Cause
    seen: Sequence[Seen]
    meanwhile: Meanwhile = Meanwhile.RETRIED
    then: Sequence[Seen] = ()
    begins: Callable[[Stage], object] | None = Stage.run
    models: Sequence[Model] = field(default_factory=lambda: [model(VICTIM)])
    settings: Mapping[str, Any] = field(default_factory=dict)
    scenario: Mapping[str, Any] = field(default_factory=dict)

    def play(self, folder: Path) -> None:
        watched = [each["id"] for each in self.models] or [VICTIM]
        watched.append(NEIGHBOUR)
        with emulated([*self.models, model(NEIGHBOUR)], **self.scenario) as api:
            with make_stage(folder, api, watched, **self.settings) as stage:
                self._play(stage)
            check_what_is_left(stage, watched)

    def _play(self, stage: Stage) -> None:
        if self.begins is not None:
            self.begins(stage)
            until(stage, READY)
        posts = len(stage.api.posts(NEIGHBOUR))
        again: list[Seen] = [retried(NEIGHBOUR, posts), state(NEIGHBOUR, "healthy")]
        with self.cause(stage):
            if self.meanwhile is not Meanwhile.LATER:
                stage.api.set_status(NEIGHBOUR, "BUILD_FAILED")
            until(stage, *self.seen)
            if self.meanwhile is Meanwhile.RETRIED:
                until(stage, *again)
            elif self.meanwhile is Meanwhile.WATCHED:
                until(stage, status(NEIGHBOUR, "BUILD_FAILED"))
                assert len(stage.api.posts(NEIGHBOUR)) == posts
            stage.mark()
        if self.meanwhile is Meanwhile.LATER:
            stage.api.set_status(NEIGHBOUR, "BUILD_FAILED")
        if self.meanwhile is not Meanwhile.RETRIED:
            until(stage, *again)
        until(stage, *self.then, state(NEIGHBOUR, "healthy"), READY)
        assert stage.daemon.stop() == 0


@dataclass(frozen=True, kw_only=True)
class OneModel:
    """Something that happens to one model alone, while a daemon watches many.

    Such rows share a daemon, where all of them happen at the same time, each to a model of its own.
    `cause`, `seen` and `then` are as in `OneDaemon`, about that model. `deploys` are the model's,
    `policy` its own settings.
    """

    id: str
    wrong: str
    cause: CauseOfOne
    seen: Callable[[str], Sequence[Seen]]
    then: Callable[[str], Sequence[Seen]] = lambda model_id: [state(model_id, "healthy")]
    posts: int | None = None
    """How many retries are sent, all in all, where that is the point."""
    deploys: Sequence[Sequence[Any]] = WELL
    policy: Mapping[str, Any] = field(default_factory=dict)

    @property
    def model_id(self) -> str:
        return self.id.replace("-", "")

    def check_is_seen(self, stage: Stage) -> None:
        until(stage, *self.seen(self.model_id))

    def check_is_over(self, stage: Stage) -> None:
        until(stage, *self.then(self.model_id))
        if self.posts is not None:
            assert len(stage.api.posts(self.model_id)) == self.posts


def build_fails(stage: Stage, model_id: str) -> None:
    """The build that a retry began fails, once it was seen: then its failure is no presumption."""
    until(stage, status(model_id, "BUILDING"))
    stage.api.set_status(model_id, "BUILD_FAILED")


def play_together(
    rows: Sequence[OneModel], folder: Path, subtests: pytest.Subtests, **baseten: Any
) -> None:
    """Play rows that share a daemon, beside a neighbour, and some more models that are well."""
    with _crowd(rows, folder, baseten) as stage:
        with ExitStack() as causes:
            for row in rows:
                causes.enter_context(row.cause(stage, row.model_id))
            for row in rows:
                with subtests.test(f"{row.id}: is seen"):
                    row.check_is_seen(stage)
            stage.api.set_status(NEIGHBOUR, "BUILD_FAILED")
            until(stage, retried(NEIGHBOUR, 0), state(NEIGHBOUR, "healthy"))
        for row in rows:
            with subtests.test(f"{row.id}: is over"):
                row.check_is_over(stage)


@contextmanager
def _crowd(rows: Sequence[OneModel], folder: Path, baseten: Mapping[str, Any]) -> Iterator[Stage]:
    well = [NEIGHBOUR, *(f"well{number}" for number in range(20))]
    models = [*(model(row.model_id, row.deploys) for row in rows), *map(model, well)]
    policies = {row.model_id: row.policy for row in rows}
    watched = [each["id"] for each in models]
    settings: dict[str, Any] = {
        **NO_LIMITS,
        "baseten": {**NO_LIMITS["baseten"], **baseten},
        "watch": {"concurrency": 50},
        "models": [{"id": each, "policy": policies.get(each, {})} for each in watched],
    }
    with emulated(models, **NO_RATE_LIMITS) as api:
        with make_stage(folder, api, watched, **settings) as stage:
            stage.run()
            until(stage, READY)
            yield stage
            assert stage.daemon.stop() == 0
        check_what_is_left(stage, watched)


def check_what_is_left(stage: Stage, models: Sequence[str]) -> None:
    """No traceback, no secret, and no retry that is not on record."""
    logs = stage.logs()
    assert not [line for line in logs.splitlines() if "Traceback" in line or "internal_e" in line]
    assert is_safe_to_read(logs)
    assert KEY.encode() not in stage.kept()
    for model_id in models:
        sent = [each for each in stage.outcomes(model_id) if each not in ("abandoned", "dry_run")]
        assert len(stage.api.posts(model_id)) <= len(sent), model_id
