"""What the API does wrong: the emulator's faults, put there while a row plays, and taken away."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from tests.fakes.processes import KEY
from tests.hostile import machines
from tests.hostile.emulated import Emulated, emulated
from tests.hostile.rows import (
    NEIGHBOUR,
    VICTIM,
    Cause,
    check_what_is_left,
    model,
    retried,
    until,
)
from tests.hostile.seen import Seen, log, ready, state
from tests.hostile.stage import Stage, make_stage
from tests.hostile.worlds import NO_LIMITS, NO_RATE_LIMITS

LOOK, RETRY = "get_development", "retry_development"

Fault = dict[str, Any]


def fault(kind: str, operation: str | None = None, **options: Any) -> Fault:
    """As in a scenario; without `operation`, of all of them."""
    return {"fault": kind, **({"operation": operation} if operation else {}), **options}


def put(api: Emulated, *faults: Fault) -> None:
    api.send("PUT", "/_emulator/faults", faults)


def of_all(*faults: Fault) -> Cause:
    """Of every model, and of what belongs to none."""

    @contextmanager
    def there(stage: Stage) -> Iterator[None]:
        put(stage.api, *faults)
        yield
        put(stage.api)

    return there


def of_victim(*faults: Fault) -> Cause:
    """Of the victim alone, which fails."""

    @contextmanager
    def there(stage: Stage) -> Iterator[None]:
        put(stage.api, *({**each, "models": [VICTIM]} for each in faults))
        stage.api.set_status(VICTIM, "BUILD_FAILED")
        yield
        put(stage.api)

    return there


def key_refused(kind: str) -> Cause:
    """Until the next probe: one comes each minute."""

    @contextmanager
    def there(stage: Stage) -> Iterator[None]:
        put(stage.api, fault(kind))
        yield
        put(stage.api)
        minutes = count(1)

        def over() -> str | None:
            """Time goes fast until then: each look is a minute later."""
            ahead = 61 * next(minutes)
            machines.move_clocks(stage, wall=ahead, steady=ahead)
            return recovered(stage)

        recovered = log("auth_recovered")
        stage.until(over, every=1)

    return there


def start_with_key_file(stage: Stage) -> None:
    _key_file(stage).write_text(KEY)
    stage.run(env={"BASETEN_WATCHDOG_BASETEN__API_KEY_FILE": str(_key_file(stage))})


@contextmanager
def key_revoked(stage: Stage) -> Iterator[None]:
    """Somebody puts a key there that is not one, and the right one in the end."""
    _key_file(stage).write_text("another-key")
    yield
    _key_file(stage).write_text(KEY)


def _key_file(stage: Stage) -> Path:
    return stage.folder / "key"


@dataclass(frozen=True, kw_only=True)
class Befallen:
    """A fault of one model alone, while a daemon watches all of them.

    These rows share a daemon, and are played there side by side: each has a model of its own,
    which is well before and after.
    `fails`: it begins to fail when the fault comes. `seen` and `then` are as in `Lived`, told of
    that model.
    """

    id: str
    wrong: str
    faults: Sequence[Fault]
    seen: Callable[[str], Sequence[Seen]]
    fails: bool = False
    posts: int | None = None
    """How many retries are sent, all in all, where that is the point."""

    @property
    def model_id(self) -> str:
        return self.id.replace("-", "")

    def play(self, crowd: "Crowd") -> None:
        stage, api = crowd.stage, crowd.stage.api
        posts = len(api.posts(NEIGHBOUR))
        with crowd.faults_of(self.model_id, self.faults):
            if self.fails:
                api.set_status(self.model_id, "BUILD_FAILED")
            api.set_status(NEIGHBOUR, "BUILD_FAILED")
            until(stage, *self.seen(self.model_id))
            until(stage, *retried(stage, posts), state(NEIGHBOUR, "healthy"))
        until(stage, state(self.model_id, "healthy"))
        if self.posts is not None:
            assert len(api.posts(self.model_id)) == self.posts


class Crowd:
    """One daemon that watches a model for each of these rows, the neighbour, and some more that
    are always well."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._faults: dict[str, list[Fault]] = {}
        self._changing = threading.Lock()

    @contextmanager
    def faults_of(self, model_id: str, faults: Sequence[Fault]) -> Iterator[None]:
        self._change(model_id, [{**each, "models": [model_id]} for each in faults])
        try:
            yield
        finally:
            self._change(model_id, [])

    def _change(self, model_id: str, faults: list[Fault]) -> None:
        with self._changing:
            self._faults[model_id] = faults
            put(self.stage.api, *(each for given in self._faults.values() for each in given))


@contextmanager
def crowd(folder: Path, rows: Sequence[Befallen]) -> Iterator[Crowd]:
    watched = [*(row.model_id for row in rows), NEIGHBOUR, *(f"well{n}" for n in range(20))]
    with emulated([model(model_id) for model_id in watched], **NO_RATE_LIMITS) as api:
        timeouts = {"timeout": "1s", "max_requests_per_second": 100}
        settings = {**NO_LIMITS, "baseten": timeouts, "watch": {"concurrency": 50}}
        stage = make_stage(folder, api, watched, **settings)
        stage.run()
        try:
            until(stage, ready())
            yield Crowd(stage)
            assert stage.daemon.stop() == 0
        finally:
            stage.daemon.kill()
        check_what_is_left(stage, watched)
