"""Settings from environment variables: an unknown variable with our prefix is an error."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from watchdog.config.file import ConfigError
from watchdog.config.problems import is_compound, near, settings_in
from watchdog.text.secret import stripped

ENV_PREFIX = "BASETEN_WATCHDOG_"
_NESTED = "__"

_FILE = f"{ENV_PREFIX}CONFIG"
"""This variable names the configuration file, and is not a setting of it."""

_OF_A_SERVICE = re.compile(
    r"\w*_SERVICE_(HOST|PORT(_\w+)?)=.*"
    r"|\w*_PORT_\d+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR)=.*"
    r"|\w*_PORT(_\d+_(TCP|UDP|SCTP))?=(tcp|udp|sctp)://.*"
)


def read_environment(environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The settings of each of our variables. A section comes before its members, so that a member
    overrides the section. Raises ConfigError with every variable that is no setting, is empty, is
    not JSON, or is there twice."""
    ours = sorted(name for name in environ if _is_ours(name, environ[name]))
    problems = [problem for name in ours for problem in _problems(name, environ[name])]
    problems += _repeated(ours)
    if problems:
        raise ConfigError(*problems)
    return {name: _settings(name, environ[name]) for name in ours}


def _settings(name: str, text: str) -> dict[str, Any]:
    """The one setting of a variable, in its sections. Raises ValueError with the problem if it is
    not JSON, as a list or a section must be."""
    *sections, last = _path(name)
    # As with secrets: what comes from a file or a Kubernetes Secret often ends in a newline.
    text = stripped(text)
    found = {last: _json(text) if is_compound((*sections, last)) else text}
    for section in reversed(sections):
        found = {section: found}
    return found


def _json(text: str) -> Any:
    """Raises ValueError."""
    twice: list[str] = []

    def section(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        twice.extend(name for name in names if names.count(name) > 1)
        return dict(pairs)

    try:
        found = json.loads(text, object_pairs_hook=section)
    except (ValueError, RecursionError):
        raise ValueError(
            "must be JSON, as lists and sections are in the environment, like "
            """["BUILD_FAILED"] or [{"id": "abc123"}]"""
        ) from None
    if twice:
        raise ValueError(f"the key {twice[0]!r} is there twice")
    return found


def _path(name: str) -> tuple[str, ...]:
    return tuple(name[len(ENV_PREFIX) :].lower().split(_NESTED))


def _is_ours(name: str, value: str) -> bool:
    """Kubernetes describes each Service of the namespace in variables that begin with its name,
    and ours may well be called baseten-watchdog."""
    if not name.upper().startswith(ENV_PREFIX) or name == _FILE:
        return False
    return _NESTED in name or _OF_A_SERVICE.fullmatch(f"{name}={value}") is None


def _problems(name: str, value: str) -> Iterator[str]:
    *sections, last = _path(name)
    known = settings_in(sections)
    if last not in known:
        every = {_variable(path) for path in _paths()} | {_FILE}
        yield f"{name}: no such setting{near(name.upper(), every)}"
    elif not stripped(value):
        yield f"{name}: empty: give it a value, or unset it"
    else:
        try:
            _settings(name, value)
        except ValueError as error:
            yield f"{name}: {error}"


def _repeated(names: Sequence[str]) -> Iterator[str]:
    """Upper and lower case are the same in our names, and not for the system."""
    first: dict[str, str] = {}
    for name in names:
        other = first.setdefault(name.upper(), name)
        if other != name:
            yield f"{name}: sets the same as {other}: unset one of them"


def _paths(sections: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for setting in settings_in(sections):
        path = (*sections, setting)
        yield path
        yield from _paths(path)


def _variable(path: tuple[str, ...]) -> str:
    return ENV_PREFIX + _NESTED.join(path).upper()
