"""`health` asks whatever listens at the daemon's address."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from watchdog.app.health import report_health


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A server that reads one request, answers it so, and ends the connection; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n", 0, "ok\n"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\nthe loop stands still", 1, "the loop stands"),
        (b"HTTP/1.1 200\r\n\r\n", 0, "\n"),
        (b"", 1, "Remote end closed connection without response\n"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", 1, "what answers there is no web server\n"),
        (b"HTTP/1.1 fine\r\n\r\n", 1, "what answers there is no web server\n"),
        (b"\r\n\r\n", 1, "Remote end closed connection without response\n"),
        (b" \r\n\r\n", 1, "what answers there is no web server\n"),
    ],
)
def test_only_a_web_server_that_says_ok_is_alive(
    answer: bytes, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(answer) as port:
        assert report_health("127.0.0.1", port) == status
    shown = capsys.readouterr()
    assert said in (shown.err if status else shown.out)
    assert (shown.out if status else shown.err) == ""
