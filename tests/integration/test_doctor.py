"""`doctor`: what is right, wrong or not known, and what to do about it."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.http_server import HOST, Reply, Request, ScriptedServer
from tests.fakes.processes import cli, config_file, emulator, free_port
from watchdog.app.diagnosed import Verdict
from watchdog.app.doctor_api import api_findings
from watchdog.config import load_config

MODELS: list[dict[str, Any]] = [
    {"id": "aaaa1111", "name": "llama", "deploys": [["BUILD_FAILED"]]},
    {"id": "bbbb1111", "name": "sdxl", "deploys": [["ACTIVE"]]},
]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(tmp_path_factory.mktemp("api"), MODELS) as url:
        yield url


def results(config: Path, **env: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """The exit status, and result and text by name."""
    told = cli("doctor", "--json", "--config", config, **env)
    checks = json.loads(told.stdout)["checks"]
    assert all(check["remedy"] for check in checks if check["result"] == "wrong")
    return told.exit_code, {check["name"]: (check["result"], check["text"]) for check in checks}


def test_all_is_well(api: str, tmp_path: Path) -> None:
    code, found = results(config_file(tmp_path, api, ["aaaa1111", "bbbb1111"]))
    assert code == 0
    assert {name: result for name, (result, _) in found.items()} == {
        "configuration": "ok",
        "limits": "ok",
        "key": "ok",
        "model aaaa1111": "ok",
        "model bbbb1111": "ok",
        "clock": "ok",
        "logs": "ok",
        "audit log": "ok",
        "retry permission": "unknown",
        "ledger": "ok",
        "network": "ok",
        "page": "ok",
    }
    assert not (tmp_path / "ledger.db").exists()


def test_doctor_prints_a_sign_and_a_remedy(api: str, tmp_path: Path) -> None:
    shown = cli("doctor", "--config", config_file(tmp_path, api, ["nosuch11"]))
    assert shown.exit_code == 1
    assert "✗ model nosuch11" in shown.stdout
    assert "`baseten-watchdog models` lists them" in shown.stdout


@pytest.mark.parametrize(
    ("settings", "name", "text"),
    [
        ({"models": [{"id": "nosuch11"}]}, "model nosuch11", "no model that the key sees"),
        ({"models": []}, "models", "nothing is configured"),
        ({"watch": {"interval": "1s"}, "baseten": {"max_requests_per_second": 1}}, "limits", "2 m"),
        ({"discovery": {"include": ["none-*"]}}, "discovery", "no model"),
        ({"store": {"url": "sqlite:////dev/null/ledger.db"}}, "ledger", "cannot be"),
    ],
)
def test_what_is_wrong_is_named(
    settings: dict[str, Any], name: str, text: str, api: str, tmp_path: Path
) -> None:
    code, found = results(config_file(tmp_path, api, ["aaaa1111", "bbbb1111"], **settings))
    assert code == 1
    assert found[name][0] == "wrong"
    assert text in found[name][1]


def test_a_refused_key_is_named_once(api: str, tmp_path: Path) -> None:
    code, found = results(config_file(tmp_path, api, ["aaaa1111"]), BASETEN_API_KEY="wrong")
    assert (code, found["key"][0]) == (1, "wrong")
    assert not any(name.startswith("model ") for name in found)
    assert "ledger" in found


@pytest.mark.parametrize(
    ("configured", "accepted", "text", "remedy"),
    [
        ("api-key", "bearer", "accepted as bearer", "set baseten.auth_scheme: bearer"),
        ("bearer", "api-key", "accepted as api-key", "set baseten.auth_scheme: api-key"),
        ("api-key", None, "by either scheme", "use a valid key of the workspace"),
    ],
)
async def test_a_refused_key_is_tried_once_by_the_other_scheme(
    configured: str, accepted: str | None, text: str, remedy: str, tmp_path: Path
) -> None:
    asked: list[str] = []

    async def answer(request: Request) -> Reply:
        asked.append(request.headers["authorization"].partition(" ")[0].lower())
        return Reply(body={"models": []}) if asked[-1] == accepted else Reply(403)

    async with ScriptedServer(answer) as server:
        url = f"http://{HOST}:{server.port}"
        file = config_file(tmp_path, url, ["aaaa1111"], baseten={"auth_scheme": configured})
        [found] = [
            each async for each in api_findings(load_config(file), {"BASETEN_API_KEY": "some-key"})
        ]
    assert (found.name, found.verdict) == ("key", Verdict.BAD)
    assert text in found.text
    assert found.remedy == remedy
    assert len(asked) == 2


def test_an_api_that_does_not_answer_is_named(tmp_path: Path) -> None:
    code, found = results(config_file(tmp_path, f"http://127.0.0.1:{free_port()}", ["aaaa1111"]))
    assert (code, found["API"][0]) == (1, "wrong")


def test_a_port_in_use_is_named(api: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        taken.settimeout(None)
        port = taken.getsockname()[1]
        config = config_file(tmp_path, api, ["aaaa1111"], server={"port": port})
        code, found = results(config)
    assert (code, found["page"][0]) == (1, "wrong")


def test_a_ledger_of_another_workspace_is_named(api: str, tmp_path: Path) -> None:
    made = config_file(tmp_path, api, ["bbbb1111"])
    assert cli("check", "--retry", "--config", made).exit_code == 0
    host, _, port = api.rpartition(":")
    other = config_file(tmp_path, f"{host.replace('127.0.0.1', 'localhost')}:{port}", ["bbbb1111"])
    code, found = results(other)
    assert (code, found["ledger"][0]) == (1, "wrong")
    assert "holds the history of" in found["ledger"][1]


def test_a_proxy_and_a_ca_file_are_shown(api: str, tmp_path: Path) -> None:
    import certifi

    config = config_file(tmp_path, api, ["aaaa1111"])
    _, found = results(
        config,
        no_proxy="127.0.0.1",
        https_proxy="http://u:p@proxy:1",
        SSL_CERT_FILE=certifi.where(),
    )
    assert found["network"] == ("ok", f"proxy for https; CA certificates: {certifi.where()}")
    assert os.environ.get("https_proxy") is None
