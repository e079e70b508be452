"""The licences of what is installed with the program, as each package states its own."""

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

LOCK = Path(__file__).parents[2] / "requirements.lock"

ALLOWED = {
    "Apache-2.0",
    "BSD License",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC License",
    "ISC",
    "LGPL-3.0-only",
    "MIT License",
    "MIT",
    "MPL-2.0",
    "PSF-2.0",
}
"""Each may be used and passed on with a program under Apache-2.0: psycopg (LGPL) and certifi (MPL)
are used as they are."""


def locked() -> Iterator[str]:
    """The packages that are installed where the tests run."""
    for name, marker in re.findall(
        r"^([a-z0-9-]+)\S*==[^ ]+( ; .*)? ", LOCK.read_text(), re.MULTILINE
    ):
        if "win32" not in marker:
            yield name


def licence(package: metadata.PackageMetadata) -> str:
    """An SPDX expression, or the words of an older package for one licence."""

    def first(field: str) -> str:
        return next(iter(package.get_all(field) or []), "")

    classes = (each.rpartition(" :: ")[2] for each in package.get_all("Classifier") or [])
    named = next((each for each in classes if each.endswith(" License")), "")
    return first("License-Expression") or first("License") or named


def is_allowed(expression: str) -> bool:
    """One of the alternatives has only licences that are allowed."""
    return any(
        all(each in ALLOWED for each in choice.split(" AND "))
        for choice in expression.strip("()").split(" OR ")
    )


def test_every_locked_package_has_a_licence_that_is_allowed() -> None:
    packages = list(locked())
    assert {"httpx", "psycopg-binary", "apprise"} <= set(packages)
    found = {name: licence(metadata.metadata(name)) for name in packages}
    assert {name: text for name, text in found.items() if not is_allowed(text)} == {}


def test_a_licence_that_is_not_allowed_is_noticed() -> None:
    assert is_allowed("GPL-3.0-only OR MIT")
    for expression in ("GPL-3.0-only", "MIT AND GPL-3.0-only", ""):
        assert not is_allowed(expression)
