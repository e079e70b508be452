"""Real servers on loopback: Prometheus and Alertmanager, and something for them to watch."""

import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from tests.fakes.processes import Process, command, environment, free_port, running

PATIENCE_SECONDS = 90
"""For a machine that is very busy."""

ROOT = Path(__file__).parents[2]

T = TypeVar("T")


def eventually(find: Callable[[], T | None], what: str) -> T:
    """What `find` finds in the end."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := find()) is None:
        assert time.monotonic() < deadline, f"never seen: {what}"
        time.sleep(0.5)
    return found


def get_json(url: str) -> Any:
    """The JSON there, or None while nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)
    except OSError:
        return None


@contextmanager
def _server(arguments: Sequence[str], url: str, folder: Path) -> Iterator[str]:
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=log)
    try:
        eventually(lambda: _ready(url), f"{arguments[0]} to be ready")
        yield url
    finally:
        process.kill()
        process.wait()


def _ready(url: str) -> bool | None:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=5):
            return True
    except OSError:
        return None


@contextmanager
def alertmanager(folder: Path) -> Iterator[str]:
    """Its URL. It keeps alerts and sends no notification."""
    folder.mkdir()
    config = folder / "alertmanager.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    port = free_port()
    arguments = [
        shutil.which("prometheus-alertmanager") or "alertmanager",
        f"--config.file={config}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with _server(arguments, f"http://127.0.0.1:{port}", folder) as url:
        yield url


@contextmanager
def prometheus(
    folder: Path,
    scraped: str,
    *,
    rules: Sequence[Path] = (),
    alertmanager_url: str | None = None,
    clusters: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[str]:
    """Its URL. It scrapes one address each second, as the job of the example configurations.

    `clusters` are further jobs that scrape it too, each with the label `cluster` that it adds.
    """
    folder.mkdir()
    config: dict[str, Any] = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(path) for path in rules],
        "scrape_configs": [
            {"job_name": "baseten-watchdog", "static_configs": [{"targets": [scraped]}]},
            *(
                {
                    "job_name": job,
                    "static_configs": [{"targets": [scraped], "labels": {"cluster": cluster}}],
                }
                for job, cluster in clusters.items()
            ),
        ],
    }
    if alertmanager_url is not None:
        address = urllib.parse.urlsplit(alertmanager_url).netloc
        config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [address]}]}]}
    path = folder / "prometheus.yml"
    path.write_text(json.dumps(config))
    port = free_port()
    arguments = [
        "prometheus",
        f"--config.file={path}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with _server(arguments, f"http://127.0.0.1:{port}", folder) as url:
        yield url


def query(prometheus_url: str, expression: str) -> list[dict[str, Any]]:
    """What an instant query gives; an assertion fails when it cannot be parsed."""
    asked = urllib.parse.urlencode({"query": expression})
    answer = get_json(f"{prometheus_url}/api/v1/query?{asked}")
    assert answer is not None, f"not understood: {expression}"
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


@dataclass(frozen=True)
class Demo:
    """The demo's emulator and daemon, which go on for as long as they are needed."""

    config: Path
    address: str
    daemon: Process
    api_url: str
    env: Mapping[str, str]
    """What a command about it needs."""


@contextmanager
def demo(
    folder: Path, config: Path = ROOT / "config/demo.yaml", scenario: Path | None = None
) -> Iterator[Demo]:
    """What `baseten-watchdog demo` shows, as two processes."""
    other = () if scenario is None else ("--scenario", scenario)
    emulator = command("emulator", "--port", "0", "--time-scale", "30", *other)
    with running(Process(emulator, environment())) as api:
        url = api.until("export ").strip().rpartition("=")[2]
        port = free_port()
        env = environment(
            BASETEN_WATCHDOG_BASETEN__BASE_URL=url,
            BASETEN_WATCHDOG_STORE__URL=f"sqlite:///{folder}/ledger.db",
            BASETEN_WATCHDOG_SERVER__PORT=str(port),
            BASETEN_WATCHDOG_LOGGING__FORMAT="json",
        )
        with running(Process(command("run", "--config", config), env)) as daemon:
            daemon.event("started")
            yield Demo(config, f"127.0.0.1:{port}", daemon, url, env)
