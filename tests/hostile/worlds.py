"""What goes wrong in the workspace itself, without any fault of the API's."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.hostile.rows import NEIGHBOUR, VICTIM, model
from tests.hostile.seen import metric, why
from tests.hostile.stage import Stage

NO_LIMITS = {
    "baseten": {"max_requests_per_second": 100},
    "policy": {"healthy_reset": "3s"},
    "fleet": {
        "max_retries_per_minute": 1000,
        "max_in_flight": 1000,
        "breaker": {"min_failures": 1000, "max_failures": 1000},
    },
}

NO_RATE_LIMITS = {"limits": {"requests_per_second": None, "retries_per_minute": None}}

MANY = [model(f"many{number}", ["ACTIVE"], ["BUILD_FAILED"]) for number in range(50)]


@contextmanager
def unknown_model(stage: Stage) -> Iterator[None]:
    """The emulator has not got the victim; then it is another one, that has."""
    yield
    stage.api.restart([model(VICTIM), model(NEIGHBOUR)])


def status(there: str | None, after: str) -> Callable[[Stage], AbstractContextManager[None]]:
    """The victim's deployment is put in a status, and into another one in the end."""

    @contextmanager
    def put(stage: Stage) -> Iterator[None]:
        stage.api.set_status(VICTIM, there)
        yield
        stage.api.set_status(VICTIM, after)

    return put


@contextmanager
def nobody_listens(stage: Stage) -> Iterator[None]:
    stage.api.stop()
    yield
    stage.api.restart([model(VICTIM), model(NEIGHBOUR)])


def pushed(*, new_id: bool) -> Callable[[Stage], AbstractContextManager[None]]:
    """The victim's episode is spent; then a person pushes something that fails too."""

    @contextmanager
    def push(stage: Stage) -> Iterator[None]:
        spent = why(VICTIM, "episode_spent")
        stage.until(lambda: spent(stage))
        if new_id:
            stage.api.set_status(VICTIM, None)
            stage.api.set_status(VICTIM, "BUILD_FAILED")
        else:
            stage.api.push(VICTIM)
        yield

    return push


@contextmanager
def stopped_while_building(stage: Stage) -> Iterator[None]:
    stage.api.set_status(VICTIM, "BUILD_FAILED")
    building = metric(f'deployment_status{{model_id="{VICTIM}",status="BUILDING"}}', 1)
    stage.until(lambda: building(stage))
    stage.api.set_status(VICTIM, "BUILD_STOPPED")
    yield
    stage.api.set_status(VICTIM, "ACTIVE")
