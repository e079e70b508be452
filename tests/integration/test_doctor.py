"""`doctor`: what is right, wrong or not known, and what to do about it."""

import json
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from tests.fakes.http_server import HOST, Reply, Request, ScriptedServer
from tests.fakes.postgres import shared
from tests.fakes.processes import (
    cli,
    config_file,
    daemon,
    emulator,
    eventually,
    free_port,
    running,
)
from watchdog import __version__
from watchdog.app.doctor_api import api_results
from watchdog.app.doctor_result import Verdict
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
        "notifications": "ok",
        "network": "ok",
        "page": "ok",
    }
    assert not (tmp_path / "ledger.db").exists()


def test_doctor_says_where_and_how_the_key_is_accepted(api: str, tmp_path: Path) -> None:
    _, found = results(config_file(tmp_path, api, ["aaaa1111"]))
    accepted = f"accepted by {api} as api-key; it sees 2 models of default"
    assert found["key"] == ("ok", accepted)


def test_doctor_says_whether_the_running_daemon_has_this_configuration(
    api: str, tmp_path: Path
) -> None:
    config = config_file(tmp_path, api, ["aaaa1111", "bbbb1111"])
    with running(daemon(config)):
        eventually(lambda: "is active" in results(config)[1]["ledger"][1])
        told = results(config)[1]["ledger"]
        store = {"url": f"sqlite:///{tmp_path}/ledger.db"}
        (tmp_path / "other").mkdir()
        other = results(config_file(tmp_path / "other", api, ["aaaa1111"], store=store))[1][
            "ledger"
        ]
    assert told[0] == other[0] == "ok"
    assert told[1].endswith(f"version {__version__}, with the same models configured")
    assert other[1].endswith(f"version {__version__}, with other models configured")


def test_doctor_prints_a_sign_and_a_remedy(api: str, tmp_path: Path) -> None:
    shown = cli("doctor", "--config", config_file(tmp_path, api, ["nosuch11"]))
    assert shown.exit_code == 1
    assert "✗ model nosuch11" in shown.stdout
    assert re.fullmatch("[0-9]+ right, 1 wrong, 1 not known", shown.stdout.splitlines()[-1])
    assert "`baseten-watchdog models` lists them" in shown.stdout


@pytest.mark.parametrize(
    ("settings", "name", "text"),
    [
        ({"models": [{"id": "nosuch11"}]}, "model nosuch11", "no model that the key sees"),
        ({"models": []}, "models", "nothing is configured"),
        ({"models": [{"id": "aaaa1111", "team": "x"}]}, "model aaaa1111", "and the configuration"),
        ({"watch": {"interval": "1s"}, "baseten": {"max_requests_per_second": 1}}, "limits", "2 m"),
        ({"discovery": {"include": ["none-*"]}}, "discovery", "no model"),
        ({"store": {"url": "sqlite:////dev/null/ledger.db"}}, "ledger", "cannot be"),
        ({"notify": [{"name": "ops", "url": "none://x"}]}, "notifications", "notify: ops: its URL"),
        ({"notify": [{"name": "ops", "url_file": "nosuch"}]}, "notifications", "cannot be read"),
    ],
)
def test_what_is_wrong_is_named(
    settings: dict[str, Any], name: str, text: str, api: str, tmp_path: Path
) -> None:
    code, found = results(config_file(tmp_path, api, ["aaaa1111", "bbbb1111"], **settings))
    assert code == 1
    assert found[name][0] == "wrong"
    assert text in found[name][1]


def test_certificates_that_cannot_be_read_are_not_blamed_on_the_key(
    api: str, tmp_path: Path
) -> None:
    config = config_file(tmp_path, api, ["aaaa1111"])
    code, found = results(config, SSL_CERT_FILE=str(tmp_path))
    assert (code, found["API"][0]) == (1, "wrong")
    assert f"SSL_CERT_FILE={tmp_path}: Is a directory" in found["API"][1]
    assert "key" not in found


def test_a_missing_key_is_named(api: str, tmp_path: Path) -> None:
    code, found = results(config_file(tmp_path, api, ["aaaa1111"]), BASETEN_API_KEY="")
    assert (code, found["key"][0]) == (1, "wrong")
    assert "API" not in found


def test_one_model_is_counted_as_one(api: str, tmp_path: Path) -> None:
    _, found = results(config_file(tmp_path, api, ["aaaa1111"]))
    assert found["limits"][1].startswith("1 model, each checked every ")


def test_receivers_that_can_be_used_are_named(api: str, tmp_path: Path) -> None:
    receivers = [{"name": "ops", "url": "http://127.0.0.1:1/s3cr3t"}]
    code, found = results(config_file(tmp_path, api, ["aaaa1111"], notify=receivers))
    assert (code, found["notifications"][0]) == (0, "ok")
    assert "the URLs of ops can be used" in found["notifications"][1]
    assert "s3cr3t" not in found["notifications"][1]


def test_a_server_that_may_lose_what_it_confirmed_is_named(api: str, tmp_path: Path) -> None:
    """The test's own server has `fsync` off."""
    store = {"url": f"{shared().new_schema()}%20-csynchronous_commit%3Doff"}
    config = config_file(tmp_path, api, ["bbbb1111"], store=store)
    assert cli("check", "--retry", "--config", config).exit_code == 0
    code, found = results(config)
    assert (code, found["durability"][0]) == (1, "wrong")
    assert found["durability"][1].startswith("the server has fsync, synchronous_commit off: ")


def test_a_server_that_keeps_what_it_confirmed_is_right(api: str, tmp_path: Path) -> None:
    url = shared().new_schema()
    make = "CREATE VIEW {}.pg_settings AS SELECT 'fsync' AS name, 'on' AS setting"
    schema = sql.Identifier(shared().schema_of(url))
    shared().execute(sql.SQL(make).format(schema))
    config = config_file(tmp_path, api, ["bbbb1111"], store={"url": url})
    assert cli("check", "--retry", "--config", config).exit_code == 0
    code, found = results(config)
    assert (code, found["durability"][0]) == (0, "ok")


def test_a_rule_that_the_file_keeps_from_a_model_is_named(api: str, tmp_path: Path) -> None:
    rules = [{"match": ["default/*"], "policy": {}}]
    given = [{"id": "aaaa1111", "team": "default"}, {"id": "bbbb1111"}]
    code, found = results(config_file(tmp_path, api, [], models=given, rules=rules))
    assert (code, found["rules"][0]) == (0, "unknown")
    assert "does not apply to bbbb1111" in found["rules"][1]


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
            each async for each in api_results(load_config(file), {"BASETEN_API_KEY": "some-key"})
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
