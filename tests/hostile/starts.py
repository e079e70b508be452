"""Starts that must be refused: each makes what is wrong, and the call that meets it."""

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.fakes.processes import KEY, config_file
from tests.hostile import ledgers
from tests.hostile.rows import VICTIM, Call
from tests.hostile.seen import log, until
from tests.hostile.stage import Stage

Arrange = Callable[[Stage], Call]


def run_with(**env: str | None) -> Arrange:
    """With these environment variables, or without those that are None."""
    return lambda stage: Call(["run", "--config", stage.config], env)


def with_key_file(content: str) -> Arrange:
    def arrange(stage: Stage) -> Call:
        file = stage.folder / "key"
        file.write_text(content)
        env = {"BASETEN_API_KEY": KEY, "BASETEN_WATCHDOG_BASETEN__API_KEY_FILE": str(file)}
        return Call(["run", "--config", stage.config], env)

    return arrange


def with_model(model_id: str) -> Arrange:
    return lambda stage: Call(["run", "--config", stage.config, "--model", model_id])


def with_config(content: str | bytes | None) -> Arrange:
    """With this in the configuration file, or without a file."""

    def arrange(stage: Stage) -> Call:
        path = stage.folder / "watchdog.yaml"
        if content is not None:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return Call(["run", "--config", path], {"XDG_STATE_HOME": str(stage.folder)})

    return arrange


def with_ledger(spoil: Callable[[Path], object]) -> Arrange:
    """With a ledger that was good once, held to file modes even as root."""

    def arrange(stage: Stage) -> Call:
        ledgers.make_ledger(stage)
        spoil(stage.ledger)
        return Call(["run", "--config", stage.config], launcher=ledgers.as_anybody())

    return arrange


def with_ledger_after(statement: str) -> Arrange:
    def arrange(stage: Stage) -> Call:
        ledgers.make_ledger(stage, statement=statement)
        return Call(["run", "--config", stage.config])

    return arrange


def with_ledger_of_another_api(stage: Stage) -> Call:
    ledgers.make_ledger(stage)
    config_file(stage.folder, "http://127.0.0.1:9", [VICTIM])
    return Call(["run", "--config", stage.config])


def with_ledger_locked(stage: Stage) -> Call:
    ledgers.make_ledger(stage)
    return Call(["run", "--config", stage.config], during=ledgers.locked(stage))


def beside_another(stage: Stage) -> Call:
    return Call(["run", "--config", stage.config], during=_another(stage))


@contextmanager
def _another(stage: Stage) -> Iterator[None]:
    daemon = stage.run()
    until(stage, log("started"))
    yield
    assert daemon.stop() == 0


def with_port_taken(stage: Stage) -> Call:
    taken: AbstractContextManager[object] = socket.create_server(("127.0.0.1", stage.port))
    return Call(["run", "--config", stage.config], during=taken)


def printing_to_full_disk(*arguments: str) -> Arrange:
    """A command whose standard output takes nothing."""
    to_full = ["/bin/sh", "-c", 'exec "$@" > /dev/full', "sh"]
    return lambda stage: Call([*arguments, "--config", stage.config], launcher=to_full)
