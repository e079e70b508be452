"""Asks a daemon whether it is alive."""

import http.client

_TIMEOUT_SECONDS = 3
"""Below the time-out that container platforms commonly give a health check."""


def ask_health(host: str, port: int) -> tuple[int, str]:
    """The HTTP status and the text of `/healthz`. Raises OSError or HTTPException where nothing
    answers as a web server does."""
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        return answer.status, answer.read(500).decode(errors="replace").strip()
    finally:
        connection.close()
