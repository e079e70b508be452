"""The first minutes of somebody who has a key and nothing else, screen by screen."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.processes import emulator, eventually, set_status
from tests.fakes.terminal import printed, terminal

MODELS = [
    {"id": "aaaa1111", "name": "llama-dev", "team": "chat", "deploys": [["ACTIVE"]]},
    {"id": "bbbb1111", "name": "sdxl", "team": "images", "deploys": [["ACTIVE"]]},
    {"id": "cccc1111", "name": "whisper", "team": "chat", "deploys": [["ACTIVE"]]},
]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[str]:
    scenario = tmp_path / "scenario"
    scenario.mkdir()
    with emulator(scenario, MODELS) as url:
        yield url


@pytest.fixture(autouse=True)
def _newcomer(api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty folder, with nothing but a key, the emulator's address and short times."""
    folder = tmp_path / "new"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name, value in {
        "BASETEN__BASE_URL": api,
        "WATCH__INTERVAL": "1s",
        "WATCH__RECOVERY_INTERVAL": "1s",
        "POLICY__FIRST_DELAY": "0s",
        "SERVER__PORT": "0",
        "STORE__URL": "sqlite:///ledger.db",
    }.items():
        monkeypatch.setenv(f"BASETEN_WATCHDOG_{name}", value)


_VARIES = (
    (r"[A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d", "MOMENT"),
    (r"for (\d+m)?\d+s", "for SPAN"),
    (r"after=(\d+m)?\d+s", "after=SPAN"),
    (r"recovered after .*", "recovered after SPAN"),
    (r"\d\d:\d\d:\d\d ", "TIME "),
    (r"until MOMENT \w+", "until MOMENT"),
)


def same(lines: list[str], expected: str) -> None:
    """Compares screens, but for moments, spans and what the machine gives: spaces between columns
    count as one."""
    shown = "\n".join(lines)
    for pattern, instead in _VARIES:
        shown = re.sub(pattern, instead, shown)
    assert columns(shown) == columns(expected.strip("\n"))


def columns(text: str) -> list[str]:
    return [re.sub(r" {2,}", "  ", line.strip()) for line in text.splitlines()]


def test_from_a_key_to_trust(api: str) -> None:
    same(
        printed("models"),
        """
MODEL     NAME       TEAM    DEVELOPMENT  STATUS
aaaa1111  llama-dev  chat    yes          ACTIVE
cccc1111  whisper    chat    yes          ACTIVE
bbbb1111  sdxl       images  yes          ACTIVE

Nothing is configured to be watched: `baseten-watchdog init` chooses models.
""",
    )
    choose()
    examine()
    with terminal("run", columns=300) as daemon:
        started = daemon.until("replica_active")
        labels = [line.split()[0] for line in started if line.startswith("  ")]
        assert labels == ["page", "metrics", "configuration", "API", "ledger", "limits"]
        eventually(lambda: sum(" healthy " in line for line in printed("status")) == 2)
        set_status(api, "aaaa1111", "BUILD_FAILED")
        told = [line for line in daemon.until(" recovered ") if "llama-dev" in line]
        same(
            told,
            """
TIME warning llama-dev  deployment_failing  status=BUILD_FAILED reopened=no team=chat
TIME info  llama-dev  retry_reserved  attempt=1 status=BUILD_FAILED team=chat
TIME info  llama-dev  retry_accepted  attempt=1 status=BUILD_FAILED team=chat
TIME info  llama-dev  recovered  status=ACTIVE cause=unknown after=SPAN attempts_used=1 t...
""",
        )
        same(
            printed("history"),
            """
TIME (CET)  NAME  WHAT  RESULT  DETAIL
MOMENT  llama-dev  failing ended  recovered  failed for SPAN
MOMENT  llama-dev  attempt 1  accepted  recovered after SPAN
MOMENT  llama-dev  failing: BUILD_FAILED  cause: unknown
""",
        )
        pause()


def choose() -> None:
    with terminal("init") as opened:
        opened.until("or all:")
        opened.type("1, whisper\n")
        opened.until("[Y/n]")
        opened.type("y\n")
        assert opened.wait() == 0
        same(
            opened.screen,
            """
MODEL     NAME       TEAM    STATUS
1  aaaa1111  llama-dev  chat    ACTIVE
2  cccc1111  whisper    chat    ACTIVE
3  bbbb1111  sdxl       images  ACTIVE
Watch which? Numbers, names, patterns such as 'team-a/*', or all: 1, whisper
Write baseten-watchdog.yaml with 2 models? [Y/n]: y
baseten-watchdog.yaml: 2 models. Next: `baseten-watchdog doctor`, then `run`.
""",
        )


def examine() -> None:
    signs = [
        re.split(" {2,}", line)[0] for line in printed("doctor") if line[:1] in "✓✗?0123456789"
    ]
    assert signs == [
        "✓ configuration",
        "✓ limits",
        "✓ key",
        "✓ model llama-dev",
        "✓ model whisper",
        "✓ clock",
        "✓ logs",
        "✓ audit log",
        "? retry permission",
        "✓ ledger",
        "✓ notifications",
        "✓ network",
        "✓ page",
        "12 right, 0 wrong, 1 not known",
    ]


def pause() -> None:
    with terminal("pause", "chat/*", "--for", "2h") as asked:
        asked.until("Pause these 2 models for 2h? [y/N]")
        asked.type("y\n")
        assert asked.wait() == 0
        done = asked.screen[-2:]
    same(done, "paused aaaa1111 until MOMENT\npaused cccc1111 until MOMENT")
    assert printed("resume", "chat/*", "--yes") == ["resumed aaaa1111", "resumed cccc1111"]
