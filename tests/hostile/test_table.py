"""What may go wrong, and what the daemon makes of it: one row each.

Every row is played on the real daemon, as a process of its own, over real sockets, against the real
emulator, beside a healthy neighbour that fails meanwhile and must be retried as ever. After each
row: no traceback, no API key and no escape sequence in any log line or in the ledger's files, and
no retry that is not on record.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

from tests.hostile import faults, ledgers, machines, starts, worlds
from tests.hostile.faults import LOOK, RETRY, Befallen, crowd, fault
from tests.hostile.machines import DAY, HOUR
from tests.hostile.rows import NEIGHBOUR, VICTIM, Lived, Meanwhile, Refused, model
from tests.hostile.seen import (
    CLEAN_EVERYWHERE,
    Custom,
    Seen,
    attempts,
    log,
    looks_go_on,
    metric,
    not_ready,
    ready,
    state,
    why,
)

Row = TypeVar("Row", bound=Refused | Lived | Befallen)

ONE_ATTEMPT = {"policy": {"max_attempts": 1, "max_attempts_per_window": 1}}
FAILS_AGAIN = model(VICTIM, ["BUILD_FAILED"], [{"BUILDING": "300ms"}, "BUILD_FAILED"])

# fmt: off
STARTS = [
    Refused("no-key", "no API key is given",
            starts.run_with(BASETEN_API_KEY=None),
            ("no API key: BASETEN_API_KEY is not set: put a Baseten API key there",)),
    Refused("empty-key", "the API key is empty",
            starts.run_with(BASETEN_API_KEY=""),
            ("no API key: BASETEN_API_KEY is not set",)),
    Refused("blank-key-file", "the file with the API key is blank",
            starts.with_key_file(" \n\n"),
            ("key is empty: put a Baseten API key there",)),
    Refused("key-with-a-newline", "two API keys are given where there should be one",
            starts.run_with(BASETEN_API_KEY="one\ntwo"),
            ("BASETEN_API_KEY is not one",)),
    Refused("no-models", "no model is configured: that means nothing, not everything",
            starts.with_config("models: []"),
            ("no models to watch: list them under `models:`",)),
    Refused("model-id-with-a-slash", "a model's id leads elsewhere in the API",
            starts.with_model("abc/../../models"),
            ("is no model id: letters, digits",)),
    Refused("model-id-of-dots", "a model's id is `..`",
            starts.with_model(".."),
            ("is no model id: letters, digits",)),
    Refused("model-id-of-500-characters", "a model's id is far too long",
            starts.with_model("a" * 500),
            ("is no model id: letters, digits, - and _, at most 64",)),
    Refused("config-missing", "there is no such configuration file",
            starts.with_config(None),
            ("watchdog.yaml: cannot be read: No such file or directory",)),
    Refused("config-empty", "the configuration file is empty",
            starts.with_config(""),
            ("no models to watch: list them under `models:`",)),
    Refused("config-not-yaml", "the configuration file is not YAML",
            starts.with_config("models: [{id: abc\nwatch: }"),
            ("watchdog.yaml:2:6: not YAML",)),
    Refused("config-binary", "the configuration file is not text",
            starts.with_config(b"\x7fELF\xff\xfe"),
            ("watchdog.yaml:1: not UTF-8 text: save the file as UTF-8",)),
    Refused("config-duplicate-key", "a setting stands twice, and YAML would take the last",
            starts.with_config("models: [{id: abc}]\nmode: observe\nmode: retry\n"),
            ("watchdog.yaml:3:1: not YAML: the key 'mode' stands there twice",)),
    Refused("config-tab", "the configuration is indented with a tab",
            starts.with_config("watch:\n\tinterval: 1m\n"),
            ("watchdog.yaml:2:1: a tab: indent with spaces",)),
    Refused("config-10-mb", "the configuration file is 10 MB long",
            starts.with_config("#" * 10_000_000),
            ("watchdog.yaml: larger than 1 MiB: not a configuration",)),
    Refused("ledger-locked-at-start", "another program holds the ledger's lock, at the start",
            starts.with_ledger_locked,
            ("ledger.db cannot be used: database is locked",)),
    Refused("ledger-read-only-at-start", "the ledger may not be written",
            starts.with_ledger(lambda path: path.chmod(0o444)),
            ("ledger.db cannot be used: ",)),
    Refused("ledger-corrupt-at-start", "the ledger is not a database",
            starts.with_ledger(lambda path: path.write_bytes(b"\xa5" * 65_536)),
            ("ledger.db cannot be used: file is not a database",)),
    Refused("ledger-truncated-at-start", "the ledger has lost its second half",
            starts.with_ledger(lambda path: path.write_bytes(path.read_bytes()[:9_000])),
            ("ledger.db cannot be used: database disk image is malformed",)),
    Refused("ledger-newer-schema", "a newer version has written the ledger",
            starts.with_ledger_after("UPDATE alembic_version SET version_num = '9999';"
                                     "UPDATE meta SET value = '9999' WHERE key = 'oldest_schema'"),
            ("was written by a newer version (schema 9999", "upgrade")),
    Refused("ledger-other-base-url", "the ledger holds the history of another API",
            starts.with_ledger_of_another_api,
            ("holds the history of http://127.0.0.1:", "give each its own store.url")),
    Refused("ledger-in-use", "another daemon uses the ledger",
            starts.beside_another,
            ("another daemon (pid ", "stop it first, or set another store.url")),
    Refused("port-taken", "another program listens on the port",
            starts.with_port_taken,
            ("cannot listen on 127.0.0.1:", "Address already in use", "set another server.port")),
    Refused("output-full", "a command's output goes to a full disk",
            starts.printing_to_full_disk("config", "show"),
            ("cannot write the output: No space left on device",)),
]

MODELS = [
    Lived(id="model-unknown",
          wrong="the API knows no such model, until somebody makes it",
          cause=worlds.unknown_model, models=[],  watched=[VICTIM],
          seen=[log("target_missing", model_id=VICTIM), state(VICTIM, "missing")],
          then=[state(VICTIM, "healthy")]),
    Lived(id="no-development-deployment",
          wrong="a model has no development deployment, until somebody pushes one",
          cause=worlds.status(None, "ACTIVE"),
          seen=[log("target_missing", model_id=VICTIM), state(VICTIM, "missing")],
          then=[state(VICTIM, "healthy")]),
    Lived(id="unknown-status",
          wrong="the API has a status that this version does not know",
          cause=worlds.status("TELEPORTING", "ACTIVE"),
          seen=[state(VICTIM, "not_retryable"),
                metric(f'deployment_status{{model_id="{VICTIM}",status="TELEPORTING"}}', 1)],
          then=[state(VICTIM, "healthy")]),
    Lived(id="stopped-by-a-person",
          wrong="a person stops a build: it stays stopped",
          cause=worlds.status("BUILD_STOPPED", "ACTIVE"),
          seen=[state(VICTIM, "not_retryable"), looks_go_on(VICTIM), attempts(VICTIM)],
          then=[state(VICTIM, "healthy")]),
]

LEDGERS = [
    Lived(id="ledger-locked",
          wrong="another program holds the ledger's lock for longer than anybody should",
          cause=ledgers.locked, meanwhile=Meanwhile.WATCHED,
          seen=[log("ledger_unavailable", error="database is locked"), metric("ledger_up", 0),
                not_ready("the ledger does not answer"), why(NEIGHBOUR, "ledger_unavailable")],
          then=[log("ledger_available"), metric("ledger_up", 1), ready()]),
    Lived(id="ledger-read-only",
          wrong="the ledger can no longer be written",
          cause=ledgers.read_only, begins=ledgers.start_movable, meanwhile=Meanwhile.WATCHED,
          seen=[log("ledger_unavailable", error="readonly database"), metric("ledger_up", 0),
                why(NEIGHBOUR, "ledger_unavailable")],
          then=[log("ledger_available"), metric("ledger_up", 1), ready()]),
    Lived(id="ledger-full",
          wrong="the database is full (max_page_count)",
          cause=ledgers.full, begins=ledgers.start_movable, meanwhile=Meanwhile.WATCHED,
          models=worlds.MANY, settings=worlds.NO_LIMITS, scenario=worlds.NO_RATE_LIMITS,
          seen=[log("ledger_unavailable", error="database or disk is full"),
                why(NEIGHBOUR, "ledger_unavailable")],
          then=[metric("ledger_up", 1), ready()]),
    Lived(id="disk-full",
          wrong="the disk has no room for the ledger",
          cause=ledgers.no_room_on_disk, meanwhile=Meanwhile.WATCHED,
          seen=[log("ledger_unavailable", error="disk I/O error"), metric("ledger_up", 0),
                why(NEIGHBOUR, "ledger_unavailable")],
          then=[log("ledger_available"), metric("ledger_up", 1), ready()]),
    Lived(id="ledger-corrupt",
          wrong="another program writes over the ledger, until a person puts it back",
          cause=ledgers.overwritten, meanwhile=Meanwhile.WATCHED,
          seen=[log("ledger_unavailable"), metric("ledger_up", 0),
                why(NEIGHBOUR, "ledger_unavailable")],
          then=[metric("ledger_up", 1)]),
]

CLOCKS = [
    Lived(id="clock-forward",
          wrong="the wall clock steps a day ahead, and back: no limit is lifted by it",
          cause=machines.clock_stepped(wall=DAY), begins=machines.start_with_window_spent,
          models=[FAILS_AGAIN], settings=ONE_ATTEMPT,
          seen=[log("clock_drifted", difference_seconds=pytest.approx(DAY, abs=60)),
                looks_go_on(VICTIM), why(VICTIM, "window_spent")],
          then=[looks_go_on(VICTIM), why(VICTIM, "window_spent")]),
    Lived(id="clock-back",
          wrong="the wall clock steps a day back, and ahead: it goes on looking",
          cause=machines.clock_stepped(wall=-DAY), begins=machines.start_with_window_spent,
          models=[FAILS_AGAIN], settings=ONE_ATTEMPT,
          seen=[log("clock_drifted", difference_seconds=pytest.approx(-DAY, abs=60)),
                looks_go_on(VICTIM), why(VICTIM, "window_spent")],
          then=[looks_go_on(VICTIM), why(VICTIM, "window_spent")]),
    Lived(id="clock-forward-across-a-restart",
          wrong="the wall clock steps a day ahead while the daemon is down: it is believed",
          cause=machines.restarted_with_clock(wall=DAY), begins=machines.start_with_window_spent,
          models=[FAILS_AGAIN], settings=ONE_ATTEMPT,
          seen=[attempts(VICTIM, "accepted", "accepted")],
          then=[looks_go_on(VICTIM)]),
    Lived(id="clock-back-across-a-restart",
          wrong="the wall clock steps a day back while the daemon is down: what is on record from "
                "the future counts as now",
          cause=machines.restarted_with_clock(wall=-DAY), begins=machines.start_with_window_spent,
          models=[FAILS_AGAIN], settings=ONE_ATTEMPT,
          seen=[looks_go_on(VICTIM), why(VICTIM, "window_spent")],
          then=[looks_go_on(VICTIM)]),
    Lived(id="suspended",
          wrong="the machine sleeps for an hour, and only the wall clock goes on, as on Linux",
          cause=machines.suspended(wall=HOUR, steady=0), begins=machines.start_with_window_spent,
          models=[FAILS_AGAIN], settings=ONE_ATTEMPT,
          seen=[log("clock_drifted"), looks_go_on(VICTIM), why(VICTIM, "window_spent")],
          then=[looks_go_on(VICTIM), ready()]),
    Lived(id="suspended-with-both-clocks",
          wrong="the machine sleeps for an hour, and both clocks go on, as elsewhere",
          cause=machines.suspended(wall=HOUR, steady=HOUR),
          begins=machines.start_with_window_spent,
          models=[FAILS_AGAIN], settings=ONE_ATTEMPT,
          seen=[looks_go_on(VICTIM), why(VICTIM, "window_spent"), machines.alive()],
          then=[looks_go_on(VICTIM), ready()]),
]

PROCESSES = [
    Lived(id="process-stopped",
          wrong="the process is stopped, and goes on later (SIGSTOP, SIGCONT)",
          cause=machines.process_stopped, meanwhile=Meanwhile.UNSEEN,
          seen=[Custom("a stopped process", machines.is_stopped)],
          then=[machines.alive(), looks_go_on(VICTIM)]),
    Lived(id="hung-up",
          wrong="SIGHUP: somebody wants the configuration read anew, or a terminal went away",
          cause=machines.hung_up,
          seen=[log("config_reloaded", changed="")]),
    Lived(id="terminal-closed",
          wrong="the terminal that it was started in is closed",
          cause=machines.terminal_closed, begins=None,
          seen=[metric("log_lines_dropped_total")]),
    Lived(id="stderr-full",
          wrong="nobody reads standard error, and the pipe is full",
          cause=machines.nobody_reads, begins=None,
          seen=[metric("log_lines_dropped_total")],
          then=[log("config_reloaded")]),
    Lived(id="stderr-full-for-ever",
          wrong="standard error is full from the start, and when it is told to end",
          cause=machines.nobody_ever_reads, begins=None,
          seen=[ready()]),
    Lived(id="stderr-broken-pipe",
          wrong="whoever read standard error is gone",
          cause=machines.nobody_there, begins=None,
          seen=[metric("log_lines_dropped_total")]),
    Lived(id="stderr-full-device",
          wrong="standard error and standard output go to a full disk",
          cause=machines.full_device, begins=None,
          seen=[metric("log_lines_dropped_total")]),
    Lived(id="streams-closed",
          wrong="it is started with all three standard streams closed",
          cause=machines.streams_closed, begins=None,
          seen=[ready()]),
]

KEYS = [
    Lived(id="401-for-all",
          wrong="the API refuses the key (401): everything waits, and it asks once a minute",
          cause=faults.key_refused("unauthorized"), begins=ledgers.start_movable,
          meanwhile=Meanwhile.UNSEEN,
          seen=[log("auth_failed", code="401"), metric("api_key_accepted", 0),
                not_ready("the API refuses the key (HTTP 401)")],
          then=[log("auth_recovered"), metric("api_key_accepted", 1)]),
    Lived(id="403-for-all",
          wrong="the API refuses the key (403), also for the list of models",
          cause=faults.key_refused("forbidden"), begins=ledgers.start_movable,
          meanwhile=Meanwhile.UNSEEN,
          seen=[log("auth_failed", code="403"), metric("api_key_accepted", 0),
                not_ready("the API refuses the key (HTTP 403)")],
          then=[log("auth_recovered"), metric("api_key_accepted", 1)]),
    Lived(id="key-revoked",
          wrong="the key in the file is no longer good, and then there is another",
          cause=faults.key_revoked, begins=faults.start_with_key_file,
          meanwhile=Meanwhile.UNSEEN,
          seen=[log("auth_failed"), metric("api_key_accepted", 0)],
          then=[log("auth_recovered"), metric("api_key_accepted", 1)]),
]

QUIET = [
    Lived(id="429-with-retry-after",
          wrong="the API asks for two seconds of quiet (429), whenever one model is retried",
          cause=faults.of_victim(fault("throttled", RETRY, retry_after=2)),
          seen=[log("api_held", operation="retry"), log("retry_throttled", model_id=VICTIM),
                why(VICTIM, "api_held")],
          then=[state(VICTIM, "healthy")]),
    Lived(id="429-without-retry-after",
          wrong="the API asks for quiet, and does not say for how long",
          cause=faults.of_victim(fault("throttled", RETRY, retry_after=None)),
          seen=[log("api_held", operation="retry"), log("retry_throttled", model_id=VICTIM)],
          then=[state(VICTIM, "healthy")]),
    Lived(id="429-with-unusable-retry-after",
          wrong="the API asks for quiet, for as long as no number says",
          cause=faults.of_victim(fault("throttled", RETRY, retry_after="soon")),
          seen=[log("api_held", operation="retry"), log("retry_throttled", model_id=VICTIM)],
          then=[state(VICTIM, "healthy")]),
    Lived(id="429-for-looks",
          wrong="the API asks for quiet whatever is asked",
          cause=faults.of_all(fault("throttled", retry_after=2)), meanwhile=Meanwhile.UNSEEN,
          seen=[log("api_held", operation="get_deployment")],
          then=[looks_go_on(VICTIM), state(VICTIM, "healthy")]),
]

DOWN = [
    Lived(id="api-hangs",
          wrong="the API takes connections, and never answers",
          cause=faults.of_all(fault("hang")), meanwhile=Meanwhile.UNSEEN,
          seen=[log("api_down", code="timeout"), metric("api_up", 0)],
          then=[log("api_recovered"), metric("api_up", 1)]),
    Lived(id="api-down",
          wrong="the API answers everything with an HTML page of a proxy's (503)",
          cause=faults.of_all(fault("unavailable")), meanwhile=Meanwhile.UNSEEN,
          seen=[log("api_down", code="503"), metric("api_up", 0)],
          then=[log("api_recovered"), metric("api_up", 1)]),
    Lived(id="api-resets",
          wrong="the API resets every connection",
          cause=faults.of_all(fault("reset")), meanwhile=Meanwhile.UNSEEN,
          seen=[log("api_down", code="connect"), metric("api_up", 0)],
          then=[log("api_recovered"), metric("api_up", 1)]),
    Lived(id="api-gone",
          wrong="nobody listens where the API was",
          cause=worlds.nobody_listens, meanwhile=Meanwhile.UNSEEN,
          seen=[log("api_down", code="connect"), metric("api_up", 0)],
          then=[log("api_recovered"), metric("api_up", 1)]),
]

PEOPLE = [
    Lived(id="pushed-with-another-id",
          wrong="a person pushes, and the deployment has another id: a new episode begins",
          cause=worlds.pushed(new_id=True), models=[FAILS_AGAIN],
          settings={"policy": {"max_attempts": 1, "max_attempts_per_window": 2}},
          seen=[log("deployment_replaced", model_id=VICTIM),
                attempts(VICTIM, "accepted", "accepted"), why(VICTIM, "episode_spent")]),
    Lived(id="pushed-under-the-same-id",
          wrong="a person pushes, and only the deployment's created_at tells",
          cause=worlds.pushed(new_id=False), models=[FAILS_AGAIN],
          settings={"policy": {"max_attempts": 1, "max_attempts_per_window": 2}},
          seen=[log("deployment_replaced", model_id=VICTIM),
                attempts(VICTIM, "accepted", "accepted"), why(VICTIM, "episode_spent")]),
    Lived(id="retry-changes-the-id",
          wrong="each retry gives the deployment another id: no fresh budget comes of it",
          cause=faults.of_victim(fault("new_id", RETRY)), models=[FAILS_AGAIN],
          settings={"policy": {"max_attempts": 2, "max_attempts_per_window": 4}},
          seen=[why(VICTIM, "episode_spent"), attempts(VICTIM, "accepted", "accepted")]),
    Lived(id="retry-changes-created-at",
          wrong="each retry gives the deployment another created_at: no fresh budget either",
          cause=faults.of_victim(fault("new_created_at", RETRY)), models=[FAILS_AGAIN],
          settings={"policy": {"max_attempts": 2, "max_attempts_per_window": 4}},
          seen=[why(VICTIM, "episode_spent"), attempts(VICTIM, "accepted", "accepted")]),
    Lived(id="stopped-during-a-retry",
          wrong="a person stops the build that a retry began: it is left alone",
          cause=worlds.stopped_while_building,
          models=[model(VICTIM, ["ACTIVE"], [{"BUILDING": "1h"}, "ACTIVE"])],
          seen=[log("episode_superseded", model_id=VICTIM), state(VICTIM, "not_retryable"),
                attempts(VICTIM, "accepted")],
          then=[state(VICTIM, "healthy")]),
]


def fails(code: str) -> Callable[[str], list[Seen]]:
    """The look at it fails, with this code, and nothing is retried on that."""
    return lambda model_id: [log("check_failed", model_id=model_id, code=code),
                             metric("api_key_accepted", 1), attempts(model_id)]


def unknown(model_id: str) -> list[Seen]:
    return [log("retry_outcome_unknown", model_id=model_id)]


def unknown_once(model_id: str) -> list[Seen]:
    """Nobody can know whether it was executed, and watching shows that it was."""
    return [*unknown(model_id), state(model_id, "healthy"), attempts(model_id, "unknown")]


LOOKS = [
    Befallen(id="look-late", wrong="answers come late, and in time", fails=True,
             faults=[fault("late", delay="300ms")], posts=1,
             seen=lambda model_id: [log("recovered", model_id=model_id)]),
    Befallen(id="look-too-late", wrong="answers come when nobody waits for them any more",
             faults=[fault("late", delay="3s")], seen=fails("timeout")),
    Befallen(id="look-hangs", wrong="a look is never answered",
             faults=[fault("hang", LOOK)], seen=fails("timeout")),
    Befallen(id="look-reset", wrong="the connection is reset before the answer",
             faults=[fault("reset", LOOK)], seen=fails("connect")),
    Befallen(id="look-503", wrong="a look is answered with an HTML page (503)",
             faults=[fault("unavailable", LOOK)], seen=fails("503")),
    Befallen(id="look-504", wrong="a look is answered by a gateway that lost patience (504)",
             faults=[fault("gateway_timeout", LOOK)], seen=fails("504")),
    Befallen(id="look-truncated", wrong="the answer to a look ends in the middle",
             faults=[fault("truncated", LOOK)], seen=fails("invalid_body")),
    Befallen(id="look-ill-typed", wrong="texts are numbers and numbers texts in the answer",
             faults=[fault("ill_typed", LOOK)], seen=fails("invalid_body")),
    Befallen(id="look-50-mb", wrong="the answer to a look is 50 MB long",
             faults=[fault("huge", LOOK)], seen=fails("invalid_body")),
    Befallen(id="look-403", wrong="the key may not look at one model (403)",
             faults=[fault("forbidden", LOOK)], seen=fails("403")),
    Befallen(id="look-lags", wrong="after a retry a look still shows the old status", fails=True,
             faults=[fault("lagging", LOOK, reads=1)], posts=1,
             seen=lambda model_id: [log("recovered", model_id=model_id)]),
]

RETRIES = [
    Befallen(id="retry-hangs", wrong="a retry is neither executed nor answered", fails=True,
             faults=[fault("hang", RETRY)], seen=unknown),
    Befallen(id="retry-reset", wrong="the connection is reset before the retry is executed",
             fails=True, faults=[fault("reset", RETRY)], seen=unknown),
    Befallen(id="retry-503", wrong="a retry is answered with an HTML page (503)", fails=True,
             faults=[fault("unavailable", RETRY)], seen=unknown),
    Befallen(id="retry-reset-after", wrong="the connection is reset once the retry was executed",
             fails=True, posts=1, faults=[fault("reset_after", RETRY)], seen=unknown_once),
    Befallen(id="retry-answer-lost", wrong="a retry is executed, and never answered",
             fails=True, posts=1, faults=[fault("lost_answer", RETRY)], seen=unknown_once),
    Befallen(id="retry-504", wrong="a retry is executed, and a gateway loses patience (504)",
             fails=True, posts=1, faults=[fault("gateway_timeout", RETRY)], seen=unknown_once),
    Befallen(id="retry-truncated", wrong="the answer to a retry ends in the middle",
             fails=True, posts=1, faults=[fault("truncated", RETRY)], seen=unknown_once),
    Befallen(id="retry-ill-typed", wrong="the answer to a retry has none of the right types",
             fails=True, posts=1, faults=[fault("ill_typed", RETRY)], seen=unknown_once),
    Befallen(id="retry-50-mb", wrong="the answer to a retry is 50 MB long",
             fails=True, posts=1, faults=[fault("huge", RETRY)], seen=unknown_once),
    Befallen(id="retry-yes", wrong='a retry is answered with `retried: "yes"`',
             fails=True, posts=1, faults=[fault("retried_text", RETRY)], seen=unknown_once),
    Befallen(id="retry-of-another", wrong="the answer to a retry names another deployment",
             fails=True, posts=1, faults=[fault("other_deployment", RETRY)],
             seen=lambda model_id: [log("retry_deployment_mismatch", model_id=model_id),
                                    attempts(model_id, "accepted"), state(model_id, "healthy")]),
    Befallen(id="retry-403", wrong="the key may not retry one model (403)", fails=True,
             faults=[fault("forbidden", RETRY)],
             seen=lambda model_id: [log("retry_failed", model_id=model_id, reason="403"),
                                    metric("api_key_accepted", 1)]),
    Befallen(id="retry-hostile-reason",
             wrong="the reason holds the API key, and what a terminal would obey",
             fails=True, posts=1, faults=[fault("hostile_reason", RETRY)],
             seen=lambda model_id: [log("retry_accepted", model_id=model_id, reason="***"),
                                    CLEAN_EVERYWHERE]),
]
# fmt: on

ALONE: list[Refused | Lived] = [
    *LEDGERS,
    *CLOCKS,
    *PROCESSES,
    *KEYS,
    *QUIET,
    *DOWN,
    *PEOPLE,
    *MODELS,
    *STARTS,
]
TABLE = [*ALONE, *LOOKS, *RETRIES]
ABREAST = 5
"""So many rows are played side by side: they mostly wait."""


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(ALONE[start : start + ABREAST], id=ALONE[start].id)
        for start in range(0, len(ALONE), ABREAST)
    ],
)
def test_rows(rows: Sequence[Refused | Lived], tmp_path: Path, subtests: pytest.Subtests) -> None:
    folders = {row.id: tmp_path / row.id for row in rows}
    for folder in folders.values():
        folder.mkdir()
    play_abreast(rows, lambda row: row.play(folders[row.id]), subtests)


@pytest.mark.parametrize(
    "rows", [pytest.param(LOOKS, id="looks"), pytest.param(RETRIES, id="retries")]
)
def test_crowd(rows: Sequence[Befallen], tmp_path: Path, subtests: pytest.Subtests) -> None:
    with crowd(tmp_path, rows) as crowded:
        play_abreast(rows, lambda row: row.play(crowded), subtests)


def play_abreast(
    rows: Sequence[Row], play: Callable[[Row], None], subtests: pytest.Subtests
) -> None:
    with ThreadPoolExecutor(ABREAST) as pool:
        played = [(row, pool.submit(play, row)) for row in rows]
        for row, outcome in played:
            with subtests.test(row.id):
                outcome.result()


def test_no_two_rows_share_an_id() -> None:
    assert len({row.id for row in TABLE}) == len(TABLE)
