"""Logs, metrics and health: all that listens to events."""
