"""What holds for every test."""

import asyncio
import os
from collections.abc import Mapping
from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import settings

settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("here", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")


_LONGEST_ID = 60


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Ids that can be read alone, where pytest would number a value or show it bare."""
    match val:
        case bool():
            return argname if val else f"not-{argname}"
        case int() | float() | timedelta():
            return f"{argname}-{val}"
        case Mapping():
            pairs = ",".join(f"{name}={value}" for name, value in val.items())
            return pairs[:_LONGEST_ID] or f"no-{argname}"
        case tuple() | list():
            return ",".join(map(_named, val))[:_LONGEST_ID] or f"no-{argname}"
        case BaseException():
            return type(val).__name__
        case _:
            return None


def _named(value: object) -> str:
    return value if isinstance(value, str) else type(value).__name__


def pytest_configure() -> None:
    # Otherwise the test plugins make a loop for the first synchronous test, and nothing closes it.
    asyncio.set_event_loop(None)


@pytest.fixture(autouse=True)
def _no_settings_of_the_developers(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A key, a setting, a proxy or a configuration file of the developer must not reach the
    tests."""
    for name in list(os.environ):
        if name.startswith(("BASETEN_", "XDG_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    # Not the developer's folder, but one for each test: a daemon notes its address there.
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / f"{uuid4()}"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "no-configuration"))
