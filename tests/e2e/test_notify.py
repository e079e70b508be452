"""Notifications of the real program."""

import json
import signal
import socket
from pathlib import Path
from typing import Any

from tests.chaos.test_notifying import Hooks
from tests.fakes.postgres import shared
from tests.fakes.processes import (
    cli,
    config_file,
    daemon,
    emulator,
    eventually,
    run,
    running,
    set_status,
    until_looked,
)

BROKEN = {"id": "br0ken00", "name": "llama", "deploys": [["UNHEALTHY"]]}
SECRET = "s3cr3t-path"


def test_a_sample_goes_to_each_receiver_and_its_answer_is_printed(tmp_path: Path) -> None:
    with Hooks() as hooks:
        receivers = [
            {"name": "ops", "url": hooks.url(f"/{SECRET}")},
            {"name": "down", "url": "http://127.0.0.1:1/" + SECRET},
            {"name": "gone", "url_file": str(tmp_path / "gone")},
        ]
        config = config_file(tmp_path, "http://127.0.0.1:9", ["abc12345"], notify=receivers)
        both = run("notify", "test", "--config", config)
        one = run("notify", "test", "--to", "ops", "--json", "--config", config)
        twice = run("notify", "test", "--to", "ops", "--to", "down", "--json", "--config", config)
        unknown = run("notify", "test", "--to", "nobody", "--config", config)
        shown = run("config", "show", "--json", "--config", config)
    assert both.returncode == 1
    ops, down, gone = both.stdout.splitlines()
    assert ops == "ops: sent: HTTP 200"
    assert down.startswith("down: not sent: ConnectError: ")
    missing = "cannot be read: No such file or directory"
    assert gone == f"gone: not sent: the file {tmp_path / 'gone'} {missing}"
    assert one.returncode == 0
    (found,) = json.loads(one.stdout)["receivers"]
    assert found == {"name": "ops", "sent": True, "answer": "HTTP 200"}
    assert twice.returncode == 1
    answered = {each["name"]: each["sent"] for each in json.loads(twice.stdout)["receivers"]}
    assert answered == {"ops": True, "down": False}
    assert unknown.returncode == 2
    assert "there is no receiver nobody: there are ops, down, gone" in unknown.stderr
    assert hooks.arrived == {f"/{SECRET} gave_up": 3}
    for each in (both, one, twice, unknown, shown):
        assert SECRET not in each.stdout + each.stderr


def test_without_receivers_there_is_nothing_to_test(tmp_path: Path) -> None:
    config = config_file(tmp_path, "http://127.0.0.1:9", ["abc12345"])
    assert run("notify", "test", "--config", config).returncode == 2


def test_a_receiver_that_cannot_be_used_is_an_error_without_its_url(tmp_path: Path) -> None:
    receivers = [{"name": "ops", "url": f"nonsense://{SECRET}"}]
    config = config_file(tmp_path, "http://127.0.0.1:9", ["abc12345"], notify=receivers)
    ended = run("run", "--config", config)
    assert ended.returncode == 2
    assert "notify: ops: its URL is neither one of Apprise's" in ended.stderr
    assert SECRET not in ended.stdout + ended.stderr


def test_a_broken_model_is_a_message_and_the_url_is_nowhere(tmp_path: Path) -> None:
    with emulator(tmp_path, [BROKEN]) as api, Hooks() as hooks:
        file = tmp_path / "url"
        file.write_text(hooks.url(f"/{SECRET}"))
        receiver = {"name": "ops", "url_file": "url"}
        config = config_file(tmp_path, api, ["br0ken00"], notify=[receiver])
        with running(daemon(config)) as process:
            sent = process.event("notification_sent")
            assert (sent["receiver"], sent["notices"]) == ("ops", 1)
            process.stop()
        assert hooks.arrived == {f"/{SECRET} broken": 1}
        assert SECRET not in "".join(process.lines)
        history = cli("history", "--json", "--config", config)
        assert SECRET not in history.stdout


def test_of_three_replicas_one_sends_also_after_the_active_one_was_killed(tmp_path: Path) -> None:
    with emulator(tmp_path, [BROKEN]) as api, Hooks() as hooks:
        receiver = {"name": "ops", "url": hooks.url("/")}
        config = config_file(
            tmp_path, api, ["br0ken00"], store={"url": shared().new_schema()}, notify=[receiver]
        )
        with running(daemon(config)) as first:
            first.event("replica_active")
            with running(daemon(config)) as second, running(daemon(config)) as third:
                for standby in (second, third):
                    standby.event("replica_standby")
                first.event("deployment_broken")
                first.kill()
                eventually(lambda: hooks.arrived)
                for standby in (second, third):
                    standby.stop()
        lines = first.lines + second.lines + third.lines
    assert sum("notification_sent" in line for line in lines) == 1
    assert hooks.arrived == {"/ broken": 1}


def test_a_receiver_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with emulator(tmp_path, [BROKEN]) as api, socket.create_server(("127.0.0.1", 0)) as hangs:
        port = hangs.getsockname()[1]
        receivers = [
            {"name": "hook", "url": f"http://127.0.0.1:{port}/"},
            {"name": "service", "url": f"json://127.0.0.1:{port}/?rto=600"},
        ]
        config = config_file(tmp_path, api, ["br0ken00"], notify=receivers)
        with running(daemon(config)) as process:
            process.event("deployment_broken")
            hangs.settimeout(60)
            taken = [hangs.accept()[0] for _ in receivers]
            # It would wait ten minutes for the receiver, which is longer than this call waits.
            process.stop()
        for each in taken:
            each.close()


def test_a_reload_changes_who_is_notified_of_what_or_nothing(tmp_path: Path) -> None:
    """`kept` gets other events, `old` another name and `moved` another URL. `gone` is removed, and
    `new` is added."""
    models = [{"id": each, "name": each, "deploys": [["ACTIVE"]]} for each in ("first", "second")]
    with emulator(tmp_path, models) as api, Hooks() as hooks:

        def receiver(name: str, *events: str, path: str = "") -> dict[str, Any]:
            return {"name": name, "url": hooks.url(f"/{path or name}"), "events": list(events)}

        both = ("broken", "recovered")
        gone = {"name": "gone", "url": "http://127.0.0.1:1/", "events": ["broken"]}
        kept, moved = receiver("kept", *both), receiver("moved", *both)
        before = [kept, receiver("old", *both), moved, gone]
        after = [
            receiver("kept", "recovered"),
            receiver("renamed", *both, path="old"),
            receiver("moved", *both, path="elsewhere"),
            receiver("new", *both),
        ]

        def configure(receivers: list[dict[str, Any]]) -> Path:
            return config_file(tmp_path, api, ["first", "second"], notify=receivers)

        with running(daemon(configure(before))) as process:
            until_looked(api, "first", 1)
            set_status(api, "first", "UNHEALTHY")
            heard = {"/kept broken": 1, "/old broken": 1, "/moved broken": 1}
            eventually(lambda: hooks.arrived == heard)
            failed = process.event("notification_failed")
            assert failed["receiver"] == "gone"

            configure([*after[:-1], {"name": "new", "url": f"nonsense://{SECRET}"}])
            process.signal(signal.SIGHUP)
            refused = process.event("config_reload_failed")["problems"]
            assert refused.startswith("notify: new: its URL is neither one of Apprise's")
            assert SECRET not in refused
            assert process.event("notification_failed")["receiver"] == "gone"

            configure(after)
            process.signal(signal.SIGHUP)
            assert process.event("config_reloaded")["changed"] == "notify"
            dropped = process.event("notification_dropped")
            assert (dropped["receiver"], dropped["notice"]) == ("gone", "broken")

            set_status(api, "first", "ACTIVE")
            set_status(api, "second", "UNHEALTHY")
            heard |= {
                "/kept recovered": 1,
                "/elsewhere recovered": 1,
                "/elsewhere broken": 1,
                "/old broken": 2,
                "/new broken": 1,
            }
            eventually(lambda: hooks.arrived == heard)
            process.stop()
