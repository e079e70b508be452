"""What the daemon shows over HTTP."""

from watchdog.web.application import build_app
from watchdog.web.facts import About
from watchdog.web.page import Page
from watchdog.web.server import PortTaken, WebServer

__all__ = ["About", "Page", "PortTaken", "WebServer", "build_app"]
