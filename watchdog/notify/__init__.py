"""Sends messages about notices to the receivers of the configuration."""

from watchdog.notify.notifier import Address, NotifyProblem, Receivers, problems
from watchdog.notify.words import Links

__all__ = ["Address", "Links", "NotifyProblem", "Receivers", "problems"]
