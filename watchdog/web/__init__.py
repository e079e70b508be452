"""What the daemon shows over HTTP."""

from watchdog.web.health import build_app
from watchdog.web.server import PortTaken, WebServer

__all__ = ["PortTaken", "WebServer", "build_app"]
