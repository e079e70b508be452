"""compose.yaml and what it mounts. No engine runs here: each file is read by its own program."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.servers import ROOT

DEPLOY = ROOT / "deploy"
ALONE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.daemon.yaml").read_text())["services"]
SERVICES: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]


def check(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_has_every_service_on_loopback_with_a_fixed_image_version() -> None:
    assert set(SERVICES) == {"emulator", "watchdog", "prometheus", "alertmanager", "grafana"}
    for service in SERVICES.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        image = service["image"]
        assert image == "baseten-watchdog" or image.rpartition(":")[2][:1] in "v0123456789"


@pytest.mark.parametrize("service", [*SERVICES.values(), *ALONE.values()])
def test_what_is_mounted_is_there(service: dict[str, Any]) -> None:
    for volume in service.get("volumes", []):
        source = volume.partition(":")[0]
        assert not source.startswith(".") or (DEPLOY / source).exists(), source


def test_the_daemon_alone_runs_as_it_does_beside_everything() -> None:
    alone, beside = ALONE["watchdog"], SERVICES["watchdog"]
    own = {"build", "depends_on", "command", "environment", "volumes"}
    assert {k: v for k, v in alone.items() if k not in own} == {
        k: v for k, v in beside.items() if k not in own
    }
    assert alone["stop_grace_period"] == "30s"
    assert alone["init"] is True
    folder, _, mounted = alone["volumes"][0].removesuffix(":ro").partition(":")
    file = Path(alone["environment"]["BASETEN_WATCHDOG_CONFIG"])
    assert (DEPLOY / folder / file.relative_to(mounted)).is_file()


def test_each_program_accepts_its_configuration(tmp_path: Path) -> None:
    for name in ("compose/watchdog.yaml", "compose/daemon/config.yaml"):
        check(sys.executable, "-m", "watchdog", "config", "check", DEPLOY / name)
    check("amtool", "check-config", DEPLOY / "compose/alertmanager.yaml")
    text = (DEPLOY / "compose/prometheus.yaml").read_text()
    mounted = "/etc/prometheus/rules.yaml"
    assert mounted in text
    assert f"./prometheus/rules.yaml:{mounted}:ro" in SERVICES["prometheus"]["volumes"]
    here = tmp_path / "prometheus.yaml"
    here.write_text(text.replace(mounted, str(DEPLOY / "prometheus/rules.yaml")))
    check("promtool", "check", "config", here)


def test_the_services_find_one_another() -> None:
    watchdog = yaml.safe_load((DEPLOY / "compose/watchdog.yaml").read_text())
    command = SERVICES["emulator"]["command"]
    port = command[command.index("--port") + 1]
    assert watchdog["baseten"]["base_url"] == f"http://emulator:{port}"
    scraped = yaml.safe_load((DEPLOY / "compose/prometheus.yaml").read_text())["scrape_configs"]
    assert scraped[0]["static_configs"] == [{"targets": ["watchdog:9464"]}]
    assert watchdog["server"]["host"] == "0.0.0.0"
    sources = yaml.safe_load((DEPLOY / "compose/grafana/datasources.yaml").read_text())
    assert sources["datasources"][0]["url"] == "http://prometheus:9090"
