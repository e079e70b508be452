"""Files that are no regular files, in place of those that are read or made."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.test_ledger import FixedClock
from tests.fakes.baseten_http import KEY
from watchdog.baseten_api import ApiSetupError, KeySource
from watchdog.cli.cause import explain
from watchdog.config import ConfigError, load_config
from watchdog.emulator.scenario import ScenarioError, load_scenario
from watchdog.ledger import LedgerSetupError, Role, SqlLedger
from watchdog.ledger.locks import FileLock


def _ledger(file: Path, role: Role = Role.DAEMON) -> SqlLedger:
    return SqlLedger.open(
        f"sqlite:///{file}", clock=FixedClock(), base_url="https://a.example", role=role
    )


@pytest.fixture(params=["fifo", "device"])
def special(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    file = tmp_path / "special"
    if request.param == "fifo":
        os.mkfifo(file)
    else:
        file.symlink_to("/dev/zero")
    return file


@pytest.mark.parametrize(
    ("read", "error"),
    [
        pytest.param(load_config, ConfigError, id="configuration"),
        pytest.param(lambda file: KeySource(file=file), ApiSetupError, id="key"),
        pytest.param(load_scenario, ScenarioError, id="scenario"),
        pytest.param(_ledger, LedgerSetupError, id="ledger"),
        pytest.param(lambda file: _ledger(file, Role.READER), LedgerSetupError, id="ledger_read"),
    ],
)
def test_what_is_no_regular_file_is_refused_in_one_line_and_not_waited_for(
    special: Path, read: Callable[[Path], object], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        read(special)
    assert str(special) in str(caught.value)
    assert "no regular file" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_log_to_explain_is_not_waited_for_either(
    special: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        explain(str(special))
    assert capsys.readouterr().err == f"error: {special}: cannot be read: it is no regular file\n"


def test_the_null_device_is_an_empty_configuration() -> None:
    assert load_config(Path(os.devnull)).sources == {}


@pytest.mark.parametrize("role", [Role.DAEMON, Role.READER])
def test_the_null_device_is_no_ledger(role: Role, tmp_path: Path) -> None:
    file = tmp_path / "null"
    file.symlink_to(os.devnull)
    with pytest.raises(LedgerSetupError, match="no regular file"):
        _ledger(file, role)
    assert list(tmp_path.iterdir()) == [file]


def test_a_key_file_that_becomes_a_fifo_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    source = KeySource(file=file)
    file.unlink()
    os.mkfifo(file)
    assert source.refresh() is False
    assert source() == KEY


def test_a_link_to_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "link").symlink_to("key")
    assert KeySource(file=tmp_path / "link")() == KEY


def test_a_lock_file_that_is_a_link_is_refused_and_its_target_left_alone(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "ledger.db.daemon.lock").symlink_to(victim)
    with pytest.raises(LedgerSetupError, match="symbolic link"):
        _ledger(tmp_path / "ledger.db")
    assert victim.read_text() == "precious"


def test_a_lock_file_that_is_a_fifo_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    os.mkfifo(file)
    lock = FileLock(file)
    assert lock.note() == ""
    assert not lock.is_free()
    with pytest.raises(OSError, match="no regular file"):
        lock.acquire()


def test_no_ledger_is_made_where_a_link_leads_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(LedgerSetupError, match="symbolic link"):
        _ledger(tmp_path / "ledger.db")
    assert not (tmp_path / "elsewhere.db").exists()


async def test_a_link_to_a_ledger_is_used(tmp_path: Path) -> None:
    await _ledger(tmp_path / "real.db").close()
    (tmp_path / "ledger.db").symlink_to(tmp_path / "real.db")
    ledger = _ledger(tmp_path / "ledger.db")
    assert not ledger.created
    await ledger.close()
