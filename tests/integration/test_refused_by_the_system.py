"""What the operating system refuses is one line that names it, whenever that happens."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.baseten_http import make_api
from tests.fakes.http_server import HOST
from tests.fakes.processes import PATIENCE_SECONDS, command, environment, free_port
from watchdog.engine.ports import ApiError

_FILES = "too many open files"


def _run(arguments: list[str], files: int) -> subprocess.CompletedProcess[str]:
    limited = ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", *arguments]
    return subprocess.run(
        limited,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@pytest.mark.parametrize("files", [7, 8, 11, 12])
def test_a_command_that_may_open_few_files_says_so_in_a_line(files: int, tmp_path: Path) -> None:
    config = tmp_path / "watchdog.yaml"
    config.write_text(
        f"baseten: {{base_url: 'http://{HOST}:{free_port()}'}}\n"
        f"store: {{url: 'sqlite:///{tmp_path}/ledger.db'}}\nmodels: [{{id: abc123}}]\n"
    )
    done = _run(command("check", "--retry", "--config", config), files)
    assert "Traceback" not in done.stderr
    told = [line for line in done.stderr.splitlines() if not line.startswith("warning")]
    if done.returncode == 2:
        assert len(told) == 1
        assert _FILES in told[0].lower()
    else:
        assert (done.returncode, told) == (3, [])
        assert _FILES in done.stdout or "connection refused" in done.stdout


@pytest.mark.parametrize(
    ("raised", "says"),
    [
        ('RuntimeError("can\'t start new thread")', "no more threads can be started"),
        ("MemoryError()", "out of memory"),
        (f"OSError({errno.ENOSPC}, 'x')", os.strerror(errno.ENOSPC).lower()),
    ],
)
def test_what_ends_a_command_is_one_line(raised: str, says: str) -> None:
    code = (
        "import watchdog.cli.program, watchdog.__main__ as entry\n"
        "def refused():\n"
        f"    raise {raised}\n"
        "watchdog.cli.program.main = refused\n"
        "entry.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, f"error: {says}\n")


async def test_a_request_for_which_no_socket_can_be_made_names_the_cause() -> None:
    api = make_api(f"http://{HOST}:{free_port()}")
    with pytest.raises(ApiError, match="connection refused"):
        await api.get_deployment("m1")
    present = resource.getrlimit(resource.RLIMIT_NOFILE)
    descriptors: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(200, present[0]), present[1]))
    try:
        try:
            while True:
                descriptors.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            pass
        with pytest.raises(ApiError) as caught:
            await api.get_deployment("m1")
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, present)
    assert str(caught.value) == f"no connection: {_FILES}"
    await api.close()
