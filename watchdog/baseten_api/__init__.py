"""The Baseten management API over HTTP."""

from watchdog.baseten_api.client import HttpBasetenApi
from watchdog.baseten_api.key import KEY_VARIABLE, ApiSetupError, KeySource

__all__ = ["KEY_VARIABLE", "ApiSetupError", "HttpBasetenApi", "KeySource"]
