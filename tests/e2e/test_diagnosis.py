"""Why it failed and who acted, as `history MODEL` shows it, and nobody else."""

import json
from pathlib import Path

from tests.fakes.processes import config_file, daemon, emulator, free_port, get, run, running

SECRET = "hf_secret_token"
FAILS = {
    "id": "fails4vr",
    "name": "fails",
    "deploys": [["BUILD_FAILED"], [{"BUILDING": "1s"}, "ACTIVE"]],
    "logs": ["Traceback:", f"cannot log in with {SECRET}", "\u001b[2Jred"],
    "acts": [{"at": "4s", "act": "push", "who": "ann@example.com"}],
}


def test_history_of_one_model_tells_why_it_failed_and_who_acted(tmp_path: Path) -> None:
    with emulator(tmp_path, [FAILS]) as api:
        port = free_port()
        config = config_file(
            tmp_path, api, ["fails4vr"], policy={"first_delay": "1m"}, server={"port": port}
        )
        with running(daemon(config)) as process:
            process.event("deployment_failing")
            process.event("deployment_replaced")
            until_it_tells(config, "pushed by ann@example.com")
            shown = run("history", "fails4vr", "--config", config).stdout
            assert f"  cannot log in with {SECRET}\n" in shown
            assert "  \\x1b[2Jred\n" in shown
            found = json.loads(run("history", "fails4vr", "--json", "--config", config).stdout)
            (episode,) = found["episodes"]
            assert episode["ended_by"] == "pushed by ann@example.com"
            assert len(episode["error_lines"]) == 3
            everywhere = [
                run("history", "--config", config).stdout,
                run("history", "--json", "--config", config).stdout,
                run("status", "--json", "--config", config).stdout,
                get(f"http://127.0.0.1:{port}/metrics")[1],
            ]
        assert SECRET not in "".join([*everywhere, *process.lines])


def until_it_tells(config: Path, text: str) -> None:
    """It is asked in the background."""
    for _ in range(60):
        if text in run("history", "fails4vr", "--config", config).stdout:
            return
    raise AssertionError(f"no {text}")
