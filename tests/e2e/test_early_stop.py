"""A stop that comes while the daemon is still starting."""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.fakes.processes import (
    Process,
    command,
    config_file,
    daemon,
    environment,
    eventually,
    free_port,
    running,
)

_AS_PROCESS_1 = ["unshare", "--pid", "--fork", "--kill-child"]


def _can_make_namespaces() -> bool:
    if shutil.which("unshare") is None:
        return False
    return (
        subprocess.run([*_AS_PROCESS_1, "true"], capture_output=True, check=False).returncode == 0
    )


_PLACES = [pytest.param([], id="any_process")]
if _can_make_namespaces():
    _PLACES.append(pytest.param(_AS_PROCESS_1, id="process_1"))


@pytest.mark.parametrize("place", _PLACES)
def test_a_stop_while_modules_are_imported_is_not_lost(place: list[str], tmp_path: Path) -> None:
    importing = tmp_path / "importing"
    (tmp_path / "pydantic.py").write_text(
        f"import os, pathlib, time\npathlib.Path({str(importing)!r}).touch()\ntime.sleep(1000)\n"
    )
    started = Process([*place, *command("run")], environment(PYTHONPATH=str(tmp_path)))
    with running(started) as process:
        eventually(importing.exists)
        pid = process.pid
        if place:
            pid = int(Path(f"/proc/{pid}/task/{pid}/children").read_text())
        os.kill(pid, signal.SIGTERM)
        assert process.wait() == 0


def test_a_stop_while_a_server_does_not_answer_is_not_delayed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+psycopg://me@127.0.0.1:{silent.getsockname()[1]}/ledger"
        config = config_file(
            tmp_path, f"http://127.0.0.1:{free_port()}", ["abc123"], store={"url": url}
        )
        with running(daemon(config)) as process:
            connection, _ = silent.accept()
            process.signal(signal.SIGTERM)
            # It would be 2 if the opening had come to its end.
            assert process.wait() == 0
            connection.close()


def test_a_stop_while_another_program_holds_the_file_is_not_delayed(tmp_path: Path) -> None:
    config = config_file(
        tmp_path,
        f"http://127.0.0.1:{free_port()}",
        ["abc123"],
        store={"url": f"sqlite:///{tmp_path}/held.db"},
    )
    with sqlite3.connect(tmp_path / "held.db") as other, running(daemon(config)) as process:
        other.execute("BEGIN EXCLUSIVE")
        eventually((tmp_path / "held.db.daemon.lock").exists)
        process.signal(signal.SIGTERM)
        assert process.wait() == 0
        other.rollback()
