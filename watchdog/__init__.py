"""Keeps Baseten development deployments alive."""

__version__ = "0.1.0"
