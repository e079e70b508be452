"""`kill -9` at every boundary of a notification, then a restart: the message arrives, and arrives
twice only if the kill fell between the sending and the record of it."""

import json
import signal
import sys
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.chaos.notifying import POINTS, TWICE
from tests.fakes.processes import Process, config_file, emulator, environment, running

NOTIFYING = Path(__file__).with_name("notifying.py")
ROOT = Path(__file__).parents[2]


class Hooks:
    """A webhook on loopback that counts what arrives, by path."""

    def __init__(self) -> None:
        arrived: Counter[str] = Counter()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                for notice in json.loads(body)["notices"]:
                    arrived[f"{self.path} {notice['event']}"] += 1
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.arrived = arrived
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever)

    def __enter__(self) -> "Hooks":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{path}"


def test_after_a_kill_every_notification_arrives(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """All points side by side, each with a model, a receiver and a ledger of its own."""
    models = {point: f"model{number}" for number, point in enumerate(POINTS)}
    scenario = [{"id": each, "name": each, "deploys": [["UNHEALTHY"]]} for each in models.values()]
    with emulator(tmp_path, scenario) as api, Hooks() as hooks:
        configs: dict[str, Path] = {}
        for point, model_id in models.items():
            (tmp_path / model_id).mkdir()
            receiver = {"name": "ops", "url": hooks.url(f"/{model_id}"), "events": ["broken"]}
            configs[point] = config_file(tmp_path / model_id, api, [model_id], notify=[receiver])

        def run(pairs: dict[Path, str]) -> dict[str, int]:
            arguments = [text for config, point in pairs.items() for text in (point, str(config))]
            env = environment(PYTHONPATH=str(ROOT))
            with running(Process([sys.executable, str(NOTIFYING), *arguments], env)) as daemons:
                found = json.loads(daemons.until("ended: ").partition(" ")[2])
            return {Path(config).parent.name: code for config, code in found.items()}

        killed = run({config: point for point, config in configs.items()})
        arrived_first = Counter(hooks.arrived)
        ended = run(dict.fromkeys(configs.values(), "none"))
        for point, model_id in models.items():
            with subtests.test(point):
                assert killed[model_id] == -signal.SIGKILL
                assert ended[model_id] == 0
                key = f"/{model_id} broken"
                assert arrived_first[key] == (point in TWICE or point == "marked")
                assert hooks.arrived[key] == (2 if point in TWICE else 1)
