"""`kill -9` at every boundary of an attempt, then a restart: the accounts agree."""

import json
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.chaos.crashing import POINTS, SENT
from tests.fakes.processes import (
    Process,
    cli,
    config_file,
    daemon,
    emulator,
    environment,
    posts,
    running,
)

CRASHING = Path(__file__).with_name("crashing.py")
ROOT = Path(__file__).parents[2]


def test_after_a_kill_every_post_is_accounted_for_and_no_limit_is_exceeded(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """All points side by side, each with a model and a ledger of its own."""
    models = {point: point.translate({ord(" "): "-", ord(","): None}) for point in POINTS}
    fails = [["BUILD_FAILED"], [{"BUILDING": "3s"}, "BUILD_FAILED"]]
    scenario = [{"id": each, "name": each, "deploys": fails} for each in models.values()]
    with emulator(tmp_path, scenario) as api, ExitStack() as processes:
        configs: dict[str, Path] = {}
        for point, model_id in models.items():
            (tmp_path / model_id).mkdir()
            # Where nobody saw it build, it counts as failing again only after this time.
            configs[point] = config_file(
                tmp_path / model_id, api, [model_id], baseten={"timeout": "10s"}
            )

        pairs = [text for point, config in configs.items() for text in (point, str(config))]
        env = environment(PYTHONPATH=str(ROOT))
        with running(Process([sys.executable, str(CRASHING), *pairs], env)) as killed:
            ended = json.loads(killed.until("ended: ").partition(" ")[2])
        for point in POINTS:
            with subtests.test(point, when="killed"):
                assert ended[point] == -signal.SIGKILL, "".join(killed.lines)
                assert len(sent(api, models[point])) == (point in SENT)

        restarted = {
            point: processes.enter_context(running(daemon(config)))
            for point, config in configs.items()
        }
        for point, process in restarted.items():
            with subtests.test(point, when="restarted"):
                assert process.event("gave_up")["decision_reason"] == "episode_spent"
                process.stop()
                accounts_agree(configs[point], sent(api, models[point]))


def sent(api: str, model_id: str) -> list[str]:
    """The status that each POST met."""
    return [post["status"] for post in posts(api) if post["model_id"] == model_id]


def accounts_agree(config: Path, met: list[str]) -> None:
    attempts = json.loads(cli("history", "--json", "--config", config).stdout)["attempts"]
    outcomes = [attempt["outcome"] for attempt in attempts]
    assert set(met) <= {"BUILD_FAILED"}
    assert len(outcomes) == 2  # Both are charged: the episode's limit.
    assert set(outcomes) <= {"accepted", "unknown"}
    assert all(attempt["resolved_at"] for attempt in attempts)
    assert outcomes.count("accepted") <= len(met) <= len(attempts)
