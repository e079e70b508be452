"""The demo, without a terminal."""

import signal
import urllib.request

from tests.fakes.processes import PATIENCE_SECONDS, Process, command, environment, running


def test_without_a_terminal_it_prints_lines_and_ends_with_a_summary_when_interrupted() -> None:
    # A proxy that the environment names is not used for addresses of this machine.
    env = environment(HTTP_PROXY="http://127.0.0.1:1", http_proxy="http://127.0.0.1:1")
    with running(Process(command("demo", "--keep"), env)) as demo:
        page = demo.until("page: ").split()[1]
        url = demo.until("metrics: ").split()[1]
        assert url == f"{page}metrics"
        demo.until("retry_refused: The API answered that it does not retry.")
        demo.until("retry_accepted: The API accepted the retry.")
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
            assert b"baseten_watchdog_target_state" in answer.read()
        demo.signal(signal.SIGINT)
        demo.until("retries (")
        assert demo.wait() == 0
