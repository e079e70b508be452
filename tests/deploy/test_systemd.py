"""The unit, read by systemd's own tools."""

import subprocess
from pathlib import Path

from tests.deploy.servers import ROOT

UNIT = ROOT / "deploy/systemd/baseten-watchdog.service"
MOST_EXPOSED = 15
"""Ten times the exposure that `systemd-analyze security` prints. What is left is the network."""


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False
    )


def test_systemd_understands_every_line(tmp_path: Path) -> None:
    here = tmp_path / UNIT.name
    program = "/opt/baseten-watchdog/bin/baseten-watchdog"
    assert program in UNIT.read_text()
    here.write_text(UNIT.read_text().replace(program, "/bin/true"))
    checked = analyze("verify", here)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    here.write_text(here.read_text().replace("ProtectSystem=strict", "ProtectSistem=strict"))
    assert "ProtectSistem" in analyze("verify", here).stderr


def test_it_leaves_little_open() -> None:
    checked = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", UNIT)
    assert checked.returncode == 0, checked.stdout
