"""Why it failed and who acted: only `history MODEL` shows this."""

import json
from pathlib import Path
from typing import Any

from tests.fakes.processes import (
    cli,
    config_file,
    daemon,
    emulator,
    eventually,
    free_port,
    get,
    running,
)

SECRET = "hf_secret_token"
FAILS: dict[str, Any] = {
    "id": "fails4vr",
    "name": "fails",
    "deploys": [["BUILD_FAILED"]],
    "logs": ["Traceback:", f"cannot log in with {SECRET}", "\u001b[2Jred"],
    # Again and again, so that one comes after the daemon has seen it fail, however late that is.
    "acts": [
        {"at": f"{seconds}s", "act": "push", "who": "ann@example.com"}
        for seconds in range(4, 600, 4)
    ],
}


def test_history_of_one_model_tells_why_it_failed_and_who_acted(tmp_path: Path) -> None:
    with emulator(tmp_path, [FAILS]) as api:
        port = free_port()
        config = config_file(
            tmp_path, api, ["fails4vr"], policy={"first_delay": "1h"}, server={"port": port}
        )
        with running(daemon(config)) as process:
            process.event("deployment_replaced")

            def first_episode() -> dict[str, Any]:
                shown = cli("history", "fails4vr", "--json", "--config", config).stdout
                found: dict[str, Any] = json.loads(shown)["episodes"][-1]
                return found

            eventually(lambda: first_episode()["ended_by"] == "pushed by ann@example.com")
            eventually(lambda: len(first_episode()["error_lines"]) == 3)
            shown = cli("history", "fails4vr", "--config", config).stdout
            assert f"  cannot log in with {SECRET}\n" in shown
            assert "  red\n" in shown, "without the codes of a terminal"
            everywhere = [
                cli("history", "--config", config).stdout,
                cli("history", "--json", "--config", config).stdout,
                cli("status", "--json", "--config", config).stdout,
                get(f"http://127.0.0.1:{port}/metrics")[1],
            ]
        assert SECRET not in "".join([*everywhere, *process.lines])
