"""A pytest plugin for runs whose only question is whether any test fails."""

import pytest
from hypothesis import Phase, settings

# The same examples each time, so that a survivor is one tomorrow too. No shrinking: the first
# failure is all there is to know, and to shrink one of a state machine takes a minute.
settings.register_profile(
    "mutants",
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    report_multiple_bugs=False,
)


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """After the conftest, which chooses another."""
    settings.load_profile("mutants")
