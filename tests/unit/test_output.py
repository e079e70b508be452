"""How commands name who signed a reservation."""

import pytest

from watchdog.text.phrases import signature


@pytest.mark.parametrize(
    ("owner", "shown"),
    [
        ("daemon:pod-1:5f3a2c99", "pod-1/5f3a2c"),
        ("command:desk:5f3a2c99", "command@desk/5f3a2c"),
        ("daemon:fe80::1:5f3a2c99", "fe80::1/5f3a2c"),
        ("daemon:5f3a2c99", "5f3a2c"),
        ("strange", "strange@"),
    ],
)
def test_an_owner_in_short(owner: str, shown: str) -> None:
    assert signature(owner) == shown
