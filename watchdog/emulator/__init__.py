"""A Baseten management API in one process, whose models follow a scenario."""

from watchdog.emulator.api import build_app
from watchdog.emulator.scenario import Scenario, ScenarioError, load_scenario
from watchdog.emulator.server import Emulator
from watchdog.emulator.values import NotFound, RequestRecord
from watchdog.emulator.workspace import Workspace

__all__ = [
    "Emulator",
    "NotFound",
    "RequestRecord",
    "Scenario",
    "ScenarioError",
    "Workspace",
    "build_app",
    "load_scenario",
]
