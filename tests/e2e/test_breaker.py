"""The breaker beside and without a daemon."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.fakes.processes import (
    PATIENCE_SECONDS,
    cli,
    config_file,
    daemon,
    emulator,
    posts,
    running,
    set_status,
)

FAILING = [f"fails{number}xx" for number in range(5)]
WELL = "stayswel"
AGAIN = [["ACTIVE"], [{"BUILDING": "1s"}, "BUILD_FAILED"]]
MODELS: list[Mapping[str, Any]] = [
    {"id": model_id, "name": model_id, "deploys": AGAIN} for model_id in (*FAILING, WELL)
]
COOLDOWN = timedelta(seconds=1)


def a_config(folder: Path, url: str, *, window: str) -> Path:
    breaker = {"min_failures": 3, "window": window, "cooldown": "1s"}
    fleet = {"max_retries_per_minute": 10, "breaker": breaker}
    return config_file(folder, url, [*FAILING, WELL], fleet=fleet)


def fail(url: str) -> None:
    for model_id in FAILING:
        set_status(url, model_id, "BUILD_FAILED")


def fleet_history(config: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        cli("history", "--fleet", "--json", "--config", config).stdout
    )
    return found


def check_retry(config: Path, *arguments: str, **env: str) -> None:
    checked = cli("check", "--retry", "--config", config, *arguments, **env)
    assert checked.exit_code in (0, 1), checked.stderr


def test_commands_beside_a_daemon_leave_its_breaker_open(tmp_path: Path) -> None:
    with emulator(tmp_path, MODELS) as url:
        config = a_config(tmp_path, url, window="5s")
        with running(daemon(config)) as process:
            process.event("started")
            # So that no canary is sent, and the only possible mistake is to close.
            assert cli("pause", "--all", "--for", "1h", "--config", config).exit_code == 0
            statuses: set[str | None] = {None}
            while statuses != {"ACTIVE"}:
                shown = json.loads(cli("status", "--json", "--config", config).stdout)
                statuses = {target["status"] for target in shown["targets"]}
                time.sleep(1)
            fail(url)
            process.event("breaker_opened")
            (opening,) = fleet_history(config)["openings"]
            due = datetime.fromisoformat(opening["held_until"]) + COOLDOWN
            time.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()) + 5)
            check_retry(config, "--model", WELL)
            check_retry(config)
            check_retry(config, BASETEN_WATCHDOG_MODE="observe")
            check_retry(config, "--model", WELL, BASETEN_WATCHDOG_MODE="observe")
            told = fleet_history(config)
        assert [each["closed_at"] for each in told["openings"]] == [None]
        assert told["canaries"] == []
        assert posts(url) == []


def test_without_a_daemon_a_pass_over_all_opens_it_and_sends_canaries(tmp_path: Path) -> None:
    with emulator(tmp_path, MODELS) as url:
        config = a_config(tmp_path, url, window="3s")
        for _ in range(2):
            check_retry(config)
        fail(url)
        check_retry(config)
        before = len(posts(url))
        assert before < 3
        (opening,) = fleet_history(config)["openings"]
        assert opening["closed_at"] is None
        sent, deadline = 0, time.monotonic() + PATIENCE_SECONDS
        while sent < 2 and time.monotonic() < deadline:
            earlier = len(posts(url))
            check_retry(config)
            assert len(posts(url)) <= earlier + 1
            check_retry(config, "--model", WELL)
            canaries = fleet_history(config)["canaries"]
            sent = sum(each["attempt_id"] is not None for each in canaries)
            time.sleep(2)
        assert sent == 2
        assert len(posts(url)) == before + sent
        assert [each["closed_at"] for each in fleet_history(config)["openings"]] == [None]
