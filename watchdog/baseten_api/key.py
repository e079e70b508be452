"""Where the API key comes from. It is in no repr, error or log line."""

from hashlib import blake2b
from pathlib import Path
from typing import Literal

from watchdog.files.mark import Mark, mark_of
from watchdog.files.regular import read_regular
from watchdog.text.secret import stripped

KEY_VARIABLE = "BASETEN_API_KEY"

_MOST_BYTES = 10_000
"""In bytes: far longer than any key, and still a short header."""

AuthScheme = Literal["api-key", "bearer"]

_IN_HEADER: dict[AuthScheme, str] = {"api-key": "Api-Key", "bearer": "Bearer"}


class ApiSetupError(Exception):
    """The API cannot be used until an operator acts. One line: what is wrong, where, and what to
    do."""


class KeySource:
    """The API key. It is read from a file, again whenever that changes, or it is given as a
    value."""

    def __init__(
        self,
        *,
        file: Path | None = None,
        value: str | None = None,
        scheme: AuthScheme = "api-key",
    ) -> None:
        """`file` wins over `value`. Raises ApiSetupError when there is no usable key."""
        self._file = file
        self._scheme: AuthScheme = scheme
        self._mark: Mark | None = None
        if file is None:
            key = stripped(value or "")
        else:
            try:
                self._mark = mark_of(file)
                key = _read(file)
            except (OSError, UnicodeDecodeError) as error:
                cause = error.strerror if isinstance(error, OSError) else "not text"
                raise ApiSetupError(
                    f"the API key file {file} cannot be read: {cause}: fix baseten.api_key_file"
                ) from None
        if not key:
            missing = "not set" if value is None else "empty"
            where = f"the file {file} is empty" if file else f"{KEY_VARIABLE} is {missing}"
            raise ApiSetupError(
                f"no API key: {where}: put a Baseten API key there, or name a file with one as "
                "baseten.api_key_file"
            )
        if not _usable(key):
            raise ApiSetupError(
                f"the API key from {file or KEY_VARIABLE} is not one: it has blanks or characters "
                "that no key has: put a Baseten API key there"
            )
        self._key = key

    def __repr__(self) -> str:
        return f"KeySource(file={self._file!s})"

    def __call__(self) -> str:
        """The present key."""
        return self._key

    def authorization(self) -> str:
        """The value of the Authorization header."""
        return f"{_IN_HEADER[self._scheme]} {self._key}"

    def mark(self, base_url: str) -> str:
        """A short text that differs between keys and reveals nothing of them."""
        return blake2b(f"{base_url}\n{self._key}".encode(), digest_size=8).hexdigest()

    def take(self, other: "KeySource") -> bool:
        """Use the key and the scheme of another source from now on. Returns whether the
        Authorization header changes."""
        changed = self.authorization() != other.authorization()
        vars(self).update(vars(other))
        return changed

    def refresh(self) -> bool:
        """Read the file again if it changed. Returns whether the key is now another one. A file
        that is missing or holds no usable key, as for a moment while a secret is replaced, changes
        nothing."""
        if self._file is None:
            return False
        try:
            mark = mark_of(self._file)
            if mark == self._mark:
                return False
            key = _read(self._file)
        except (OSError, UnicodeDecodeError):
            return False
        self._mark = mark
        if key == self._key or not _usable(key):
            return False
        self._key = key
        return True


def _read(file: Path) -> str:
    return stripped(read_regular(file, _MOST_BYTES).decode("utf-8"))


def _usable(key: str) -> bool:
    """Whether it can be sent in an HTTP header: the error about any other key would contain the
    key."""
    fits = 0 < len(key) <= _MOST_BYTES
    return fits and key.isascii() and key.isprintable() and " " not in key
