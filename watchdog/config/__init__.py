"""The config file and the environment: validated, strict, immutable."""

from watchdog.config.file import ConfigError
from watchdog.config.load import LoadedConfig, load_config
from watchdog.config.model import Config
from watchdog.config.policies import discovered_policies, only, policies
from watchdog.config.schema import json_schema

__all__ = [
    "Config",
    "ConfigError",
    "LoadedConfig",
    "discovered_policies",
    "json_schema",
    "load_config",
    "only",
    "policies",
]
