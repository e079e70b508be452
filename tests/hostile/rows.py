"""What a row of the table is, and how it is played."""

import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from tests.fakes.processes import KEY, Model, command, environment
from tests.hostile.emulated import emulated
from tests.hostile.seen import Seen, ready, state
from tests.hostile.stage import PATIENCE_SECONDS, Stage, is_safe_to_read, make_stage

VICTIM = "v1ctim"
NEIGHBOUR = "ne1ghb0r"
RETRIED = [{"BUILDING": "300ms"}, "ACTIVE"]

Cause = Callable[[Stage], AbstractContextManager[None]]


def model(model_id: str, *deploys: Sequence[Any], **more: Any) -> Model:
    """A model that is well, and that a retry heals, unless told otherwise."""
    given = [list(deploy) for deploy in deploys] or [["ACTIVE"], RETRIED]
    return {"id": model_id, "name": model_id, "deploys": given} | more


class Meanwhile(Enum):
    """What becomes of the healthy neighbour that starts to fail while the cause is there."""

    RETRIED = "it is retried and recovers, as ever"
    WATCHED = "it is watched on, its failure is seen, and nothing is sent"
    UNSEEN = "nothing can be asked of a daemon that the row has stopped"


@dataclass(frozen=True)
class Refused:
    """A start, or a command, that ends at once with one line that says what to do."""

    id: str
    wrong: str
    arrange: Callable[[Stage], "Call"]
    says: tuple[str, ...]

    def play(self, folder: Path) -> None:
        with emulated([model(VICTIM), model(NEIGHBOUR)]) as api:
            stage = make_stage(folder, api, [VICTIM])
            call = self.arrange(stage)
            with call.during:
                done = call.run()
            assert not api.posts(VICTIM)
        assert done.returncode not in (0, 1), done
        assert done.stdout == ""
        lines = done.stderr.splitlines()
        assert len(lines) == 1, done.stderr
        assert lines[0].startswith("error: ")
        assert len(lines[0]) < 400
        for text in self.says:
            assert text in lines[0]
        assert is_safe_to_read(done.stderr)


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


@dataclass(frozen=True, kw_only=True)
class Lived:
    """Something that happens to a running daemon: it is seen, the others go on, and it passes.

    `begins` is how the daemon is started, None where the cause starts it itself. `seen` holds while
    the cause is there, and `then` once it is gone; each is waited for. `settings` are the daemon's,
    `scenario` the emulator's.
    """

    id: str
    wrong: str
    cause: Cause
    seen: Sequence[Seen]
    meanwhile: Meanwhile = Meanwhile.RETRIED
    then: Sequence[Seen] = ()
    begins: Callable[[Stage], object] | None = Stage.run
    models: Sequence[Model] = field(default_factory=lambda: [model(VICTIM)])
    watched: Sequence[str] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    scenario: Mapping[str, Any] = field(default_factory=dict)

    def play(self, folder: Path) -> None:
        models = [*self.models, model(NEIGHBOUR)]
        watched = self.watched or [each["id"] for each in self.models]
        with emulated(models, **self.scenario) as api:
            stage = make_stage(folder, api, [*watched, NEIGHBOUR], **self.settings)
            try:
                self._play(stage)
            finally:
                for daemon in stage.daemons:
                    daemon.kill()
                stage.closing.close()
            check_what_is_left(stage, [*watched, NEIGHBOUR])

    def _play(self, stage: Stage) -> None:
        if self.begins is not None:
            self.begins(stage)
            until(stage, ready())
        posts = len(stage.api.posts(NEIGHBOUR))
        with self.cause(stage):
            if self.meanwhile is not Meanwhile.UNSEEN:
                stage.api.set_status(NEIGHBOUR, "BUILD_FAILED")
            until(stage, *self.seen)
            if self.meanwhile is Meanwhile.RETRIED:
                until(stage, *retried(stage, posts), state(NEIGHBOUR, "healthy"))
            elif self.meanwhile is Meanwhile.WATCHED:
                until(stage, _SEEN_FAILING)
                assert len(stage.api.posts(NEIGHBOUR)) == posts
            stage.mark()
        if self.meanwhile is Meanwhile.UNSEEN:
            stage.api.set_status(NEIGHBOUR, "BUILD_FAILED")
        if self.meanwhile is not Meanwhile.RETRIED:
            until(stage, *retried(stage, posts))
        until(stage, *self.then, state(NEIGHBOUR, "healthy"), ready())
        stage.daemon.signal(signal.SIGTERM)
        assert stage.daemon.wait() == 0


def until(stage: Stage, *seen: Seen) -> None:
    for each in seen:
        stage.until(lambda each=each: each(stage))  # type: ignore[misc]


def retried(stage: Stage, before: int) -> list[Seen]:
    def again(stage: Stage) -> str | None:
        posts = stage.api.posts(NEIGHBOUR)[before:]
        return None if any(post["retried"] for post in posts) else "a retry of the neighbour"

    return [again]


def _SEEN_FAILING(stage: Stage) -> str | None:  # noqa: N802
    series = f'deployment_status{{model_id="{NEIGHBOUR}",status="BUILD_FAILED"}}'
    return None if stage.metrics().get(series) == 1 else series


def check_what_is_left(stage: Stage, models: Sequence[str]) -> None:
    """No traceback, no secret, and no retry that is not on record."""
    logs = stage.logs()
    assert not [line for line in logs.splitlines() if "Traceback" in line or "internal_e" in line]
    assert is_safe_to_read(logs)
    assert KEY.encode() not in stage.kept()
    for model_id in models:
        outcomes = [outcome for outcome, _ in stage.attempts(model_id)]
        sent = [each for each in outcomes if each not in ("abandoned", "dry_run")]
        assert len(stage.api.posts(model_id)) <= len(sent), model_id
