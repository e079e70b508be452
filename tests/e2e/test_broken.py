"""A deployment that the platform deactivated is shown as broken everywhere; one that an operator
deactivated is not."""

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

BY_PLATFORM: dict[str, Any] = {
    "id": "platf0rm",
    "name": "platform",
    "deploys": [["ACTIVE"]],
    "acts": [{"at": "2s", "act": "deactivate", "by": "platform"}],
}
BY_PERSON: dict[str, Any] = {
    "id": "pers0n00",
    "name": "person",
    "deploys": [["ACTIVE"]],
    "acts": [{"at": "2s", "act": "deactivate"}],
}


def test_the_audit_log_tells_the_platform_from_a_person(tmp_path: Path) -> None:
    with emulator(tmp_path, [BY_PLATFORM, BY_PERSON]) as api:
        port = free_port()
        models = ["platf0rm", "pers0n00"]
        config = config_file(tmp_path, api, models, server={"port": port})
        with running(daemon(config)) as process:
            assert process.event("deployment_broken")["model_id"] == "platf0rm"

            def states() -> dict[str, str]:
                shown = json.loads(cli("status", "--json", "--config", config).stdout)
                return {each["model_id"]: each["state"] for each in shown["targets"]}

            wanted = {"platf0rm": "broken", "pers0n00": "not_retryable"}
            eventually(lambda: states() == wanted)
            metrics = get(f"http://127.0.0.1:{port}/metrics")[1]
            state = 'baseten_watchdog_target_state{model_id="platf0rm",state="broken"} 1'
            assert state in metrics
            assert "1 model broken" in get(f"http://127.0.0.1:{port}/")[1]
            (span,) = json.loads(cli("history", "--json", "--config", config).stdout)["broken"]
            assert (span["model_id"], span["status"]) == ("platf0rm", "INACTIVE")
            process.stop()
        assert sum("deployment_broken" in line for line in process.lines) == 1
