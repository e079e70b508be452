"""What goes wrong in the workspace itself, without any fault of the API's."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.hostile import seen
from tests.hostile.rows import NEIGHBOUR, VICTIM, CauseOfOne, build_fails, model
from tests.hostile.seen import attempts, until, why
from tests.hostile.stage import Stage


@contextmanager
def unknown_model(stage: Stage) -> Iterator[None]:
    """The emulator has not got the victim; then it is another one, that has."""
    yield
    stage.api.stop()
    stage.api.start([model(VICTIM), model(NEIGHBOUR)])


@contextmanager
def nobody_listens(stage: Stage) -> Iterator[None]:
    stage.api.stop()
    yield
    stage.api.start([model(VICTIM), model(NEIGHBOUR)])


def status(there: str | None, after: str) -> CauseOfOne:
    """The model's deployment is put in a status, and into another one in the end."""

    @contextmanager
    def put(stage: Stage, model_id: str) -> Iterator[None]:
        stage.api.set_status(model_id, there)
        yield
        stage.api.set_status(model_id, after)

    return put


def pushed(*, new_id: bool) -> CauseOfOne:
    """The model's episode is spent; then a person pushes something that fails too."""

    @contextmanager
    def push(stage: Stage, model_id: str) -> Iterator[None]:
        build_fails(stage, model_id)
        until(stage, why(model_id, "episode_spent"))
        if new_id:
            stage.api.set_status(model_id, None)
            stage.api.set_status(model_id, "BUILD_FAILED")
        else:
            stage.api.push(model_id)
            stage.api.set_status(model_id, "BUILD_FAILED")
        until(stage, attempts(model_id, "accepted", "accepted"))
        build_fails(stage, model_id)
        yield
        stage.api.set_status(model_id, "ACTIVE")

    return push


@contextmanager
def stopped_while_building(stage: Stage, model_id: str) -> Iterator[None]:
    stage.api.set_status(model_id, "BUILD_FAILED")
    until(stage, seen.status(model_id, "BUILDING"))
    stage.api.set_status(model_id, "BUILD_STOPPED")
    yield
    stage.api.set_status(model_id, "ACTIVE")
