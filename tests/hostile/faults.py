"""What the API does wrong: the emulator's faults, put there by a row, and taken away."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from tests.fakes.processes import KEY
from tests.hostile import machines
from tests.hostile.emulated import Fault
from tests.hostile.rows import VICTIM, Cause, CauseOfOne
from tests.hostile.seen import log
from tests.hostile.stage import Stage

LOOK, RETRY, LOG, STARTUPS = "get_deployment", "retry", "get_logs", "list_startups"


def fault(kind: str, operation: str | None = None, **options: Any) -> Fault:
    """As in a scenario; without `operation`, of all of them."""
    return {"fault": kind, **({"operation": operation} if operation else {}), **options}


def of_all(*faults: Fault) -> Cause:
    """A fault of the requests about any model, and of those that are about none."""

    @contextmanager
    def there(stage: Stage) -> Iterator[None]:
        stage.api.set_faults(*faults)
        yield
        stage.api.set_faults()

    return there


def of_one(*faults: Fault, fails: bool = False) -> CauseOfOne:
    """Of one model alone; `fails`: which begins to fail then."""

    @contextmanager
    def there(stage: Stage, model_id: str) -> Iterator[None]:
        stage.api.set_faults(*faults, of=model_id)
        if fails:
            stage.api.set_status(model_id, "BUILD_FAILED")
        yield
        stage.api.set_faults(of=model_id)

    return there


def of_failing_victim(*faults: Fault) -> Cause:
    cause = of_one(*faults, fails=True)
    return lambda stage: cause(stage, VICTIM)


def key_refused(kind: str) -> Cause:
    """Until the next probe: one comes each minute."""

    @contextmanager
    def there(stage: Stage) -> Iterator[None]:
        stage.api.set_faults(fault(kind))
        yield
        stage.api.set_faults()
        minutes = count(1)

        def over() -> str | None:
            """Each call moves the clocks by a minute, so that the next probe is due."""
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
    """The key file gets an unusable key, and at the end the right one."""
    _key_file(stage).write_text("another-key")
    yield
    _key_file(stage).write_text(KEY)


def _key_file(stage: Stage) -> Path:
    return stage.folder / "key"
