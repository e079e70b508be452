"""Several real daemons on one PostgreSQL ledger."""

import json
import signal
import uuid
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

from psycopg import sql

from tests.fakes.postgres import Postgres, shared
from tests.fakes.processes import (
    Process,
    cli,
    config_file,
    daemon,
    emulator,
    eventually,
    free_port,
    get,
    posts,
    running,
    targets,
    until_looked,
)
from watchdog.text.phrases import signature

FAIL: list[dict[str, Any]] = [
    {"id": name, "name": name, "deploys": [["BUILD_FAILED"], [{"BUILDING": "1h"}, "ACTIVE"]]}
    for name in ("first", "second", "third")
]
HEALTHY: list[dict[str, Any]] = [
    {"id": name, "name": name, "deploys": [["ACTIVE"]]} for name in ("stays", "leaves")
]


def replica(config: Path, port: int) -> AbstractContextManager[Process]:
    return running(daemon(config, BASETEN_WATCHDOG_SERVER__PORT=str(port)))


def at(port: int, path: str) -> str:
    return f"http://127.0.0.1:{port}{path}"


def active(config: Path) -> list[str]:
    shown = json.loads(cli("status", "--json", "--config", config).stdout)["replicas"]
    return [signature(each["replica"]) for each in shown if each["state"] == "active"]


def test_a_standby_takes_over_from_a_killed_replica_and_the_limits_hold(tmp_path: Path) -> None:
    server = shared()
    url, first_port, second_port = server.new_schema(), free_port(), free_port()
    with emulator(tmp_path, FAIL) as api:
        ids = [model["id"] for model in FAIL]
        config = config_file(tmp_path, api, ids, store={"url": url}, fleet={"max_in_flight": 2})
        for name in ids[1:]:
            cli("pause", name, "--for", "1h", "--create", "--config", config)
        with replica(config, first_port) as first:
            one = signature(first.event("started")["replica"])
            first.event("replica_active")
            assert first.event("retry_accepted")["model_id"] == "first"
            with replica(config, second_port) as second:
                other = signature(second.event("started")["replica"])
                second.event("replica_standby")
                assert get(at(second_port, "/readyz")) == (200, "ok\n")
                assert get(at(second_port, "/healthz")) == (200, "ok\n")
                _, standing_by = get(at(second_port, "/metrics"))
                _, watching = get(at(first_port, "/metrics"))
                assert "baseten_watchdog_active 0.0" in standing_by
                assert "baseten_watchdog_target_state" not in samples(standing_by)
                assert "baseten_watchdog_active 1.0" in watching
                assert "baseten_watchdog_target_state" in samples(watching)
                eventually(lambda: active(config) == [one])
                first.kill()
                second.event("replica_active")
                eventually(lambda: active(config) == [other])
                cli("resume", "second", "--config", config)
                assert second.event("retry_accepted")["model_id"] == "second"
                cli("resume", "third", "--config", config)
                while second.event("retry_suppressed")["decision_reason"] != "fleet_in_flight":
                    pass
                until_looked(api, "third")
                assert [post["model_id"] for post in posts(api)] == ["first", "second"]
                history = cli("history", "--config", config).stdout.splitlines()
                made = [line.split() for line in history if " attempt " in line]
                assert [words[6] for words in made] == [other, one]

                server.stop()
                try:
                    second.event("ledger_unavailable")
                    assert get(at(second_port, "/readyz"))[0] == 503
                    assert "baseten_watchdog_ledger_up 0.0" in get(at(second_port, "/metrics"))[1]
                finally:
                    server.start()
                second.event("ledger_available")
                second.stop()


def test_a_changed_configuration_goes_round_and_only_the_last_one_drops_a_model(
    tmp_path: Path,
) -> None:
    url, ids = shared().new_schema(), [model["id"] for model in HEALTHY]
    folders = [tmp_path / name for name in ("first", "second")]
    with emulator(tmp_path, HEALTHY) as api:
        for folder in folders:
            folder.mkdir()
        configs = [config_file(each, api, ids, store={"url": url}) for each in folders]
        with running(daemon(configs[0])) as first:
            first.event("replica_active")
            with running(daemon(configs[1])) as second:
                second.event("replica_standby")
                config_file(folders[0], api, ids[:1], store={"url": url})
                first.signal(signal.SIGHUP)
                assert first.event("config_reloaded")["targets"] == 1
                until_looked(api, "stays")
                assert watched(configs[1]) == set(ids)
                config_file(folders[1], api, ids[:1], store={"url": url})
                second.signal(signal.SIGHUP)
                assert second.event("config_reloaded")["targets"] == 1
                assert first.event("target_removed")["model_id"] == "leaves"
                assert watched(configs[1]) == {"stays"}


def test_a_replica_that_cannot_take_up_the_watch_list_lets_another_one_take_over(
    tmp_path: Path,
) -> None:
    url, user = shared().new_schema(), f"u{uuid.uuid4().hex}"
    limited_url = url.replace("//watchdog@", f"//{user}@")
    folders = [tmp_path / name for name in ("good", "limited")]
    with emulator(tmp_path, HEALTHY) as api:
        for folder in folders:
            folder.mkdir()
        good = config_file(folders[0], api, ["stays"], store={"url": url})
        limited = config_file(folders[1], api, ["stays"], store={"url": limited_url})
        port = free_port()
        with running(daemon(good)) as first:
            first.event("replica_active")
            let_write_all_but_targets(url, user)
            with replica(limited, port) as second:
                second.event("replica_standby")
                first.kill()
                second.event("replica_active")
                why = second.event("replica_standby")["why"]
                assert why.startswith("the watch list was not taken up: ")
                assert "permission denied for table targets" in why
                with running(daemon(good)) as third:
                    third.event("replica_active")
                    eventually(
                        lambda: "baseten_watchdog_active 0.0" in get(at(port, "/metrics"))[1]
                    )


def let_write_all_but_targets(url: str, user: str) -> None:
    """A new user of the database."""
    schema = Postgres.schema_of(url)
    for query in (
        "CREATE ROLE {user} LOGIN",
        "GRANT USAGE ON SCHEMA {schema} TO {user}",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {user}",
        "REVOKE UPDATE ON {schema}.targets FROM {user}",
    ):
        names = {"user": sql.Identifier(user), "schema": sql.Identifier(schema)}
        shared().execute(sql.SQL(query).format(**names))


def watched(config: Path) -> set[str]:
    return {each for each, target in targets(config).items() if target["watched"]}


def samples(text: str) -> set[str]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {line.partition("{")[0].partition(" ")[0] for line in lines}


def test_a_jump_of_the_servers_clock_frees_no_limit_and_a_pause_is_by_that_clock(
    tmp_path: Path,
) -> None:
    server = shared()
    url = server.new_schema()
    server.step_clock(url, timedelta(0))
    with emulator(tmp_path, FAIL) as api:
        ids = [model["id"] for model in FAIL]
        limits = {
            "policy": {"max_attempts": 2, "max_attempts_per_window": 2},
            "fleet": dict.fromkeys(
                ("max_attempts_per_window", "max_retries_per_minute", "max_in_flight"), 2
            ),
        }
        config = config_file(tmp_path, api, ids, store={"url": url}, **limits)
        with running(daemon(config)) as only:
            sent = {only.event("retry_accepted")["model_id"] for _ in range(2)}
            (third,) = set(ids) - sent
            server.step_clock(url, timedelta(hours=25))
            only.event("clock_jumped")
            until_looked(api, third)
            assert targets(config)[third]["decision_reason"] == "fleet_window_spent"
            paused = cli("pause", third, "--for", "30m", "--config", config)
            assert paused.exit_code == 0
            eventually(lambda: targets(config)[third]["decision_reason"] == "paused")
            only.stop()
        assert len(posts(api)) == 2
