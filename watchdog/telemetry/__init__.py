"""Logs, metrics and health: all that listens to events."""

from watchdog.telemetry.health import Liveness, Readiness
from watchdog.telemetry.logs import LogListener, start_logging
from watchdog.telemetry.metrics import Metrics

__all__ = ["Liveness", "LogListener", "Metrics", "Readiness", "start_logging"]
