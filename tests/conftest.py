"""What holds for every test."""

import asyncio
import os

import pytest
from hypothesis import settings

settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("here", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_configure() -> None:
    # Else the test plugins make a loop for the first synchronous test, which nobody closes.
    asyncio.set_event_loop(None)


@pytest.fixture(autouse=True)
def _no_settings_of_the_developers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key, a setting or a proxy in the developer's shell must not reach the tests."""
    for name in list(os.environ):
        if name.startswith(("BASETEN_", "XDG_STATE")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
