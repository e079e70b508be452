"""What the daemon shows over HTTP."""

from starlette.routing import Route

from watchdog.web.application import build_app
from watchdog.web.connections import Connections, most_connections
from watchdog.web.facts import About
from watchdog.web.json_api import JsonApi
from watchdog.web.page import Page
from watchdog.web.server import PortTaken, WebServer
from watchdog.web.turns import Turns
from watchdog.web.view import View

__all__ = [
    "About",
    "Connections",
    "PortTaken",
    "WebServer",
    "build_app",
    "most_connections",
    "view_routes",
]


def view_routes(view: View) -> list[Route]:
    """The routes of all that shows the fleet to people and to programs."""
    turns = Turns()
    return [*Page(view, turns).routes, *JsonApi(view, turns).routes]
