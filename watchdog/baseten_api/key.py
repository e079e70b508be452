"""Where the API key comes from. It is in no repr, error or log line."""

from pathlib import Path

KEY_VARIABLE = "BASETEN_API_KEY"


class ApiSetupError(Exception):
    """The API cannot be asked until a person does something. One line: what, where, what to do."""


class KeySource:
    """The API key: from a file, read again whenever it changes, or as it was given."""

    def __init__(self, *, file: Path | None = None, value: str | None = None) -> None:
        """`file` wins over `value`. Raises ApiSetupError when there is no usable key."""
        self._file = file
        self._mark: tuple[int, int, int] | None = None
        self._key = "" if file else (value or "").strip()
        if file is not None:
            self.refresh()
        if not self._key:
            where = f"the file {file} is empty" if file else f"{KEY_VARIABLE} is not set"
            raise ApiSetupError(
                f"no API key: {where}: put a Baseten API key there, or name a file with one as "
                "baseten.api_key_file"
            )
        if not self._key.isascii() or not self._key.isprintable() or " " in self._key:
            raise ApiSetupError(
                f"the API key from {file or KEY_VARIABLE} is not one: it has blanks or characters "
                "that no key has"
            )

    def __repr__(self) -> str:
        return f"KeySource(file={self._file!s})"

    def __call__(self) -> str:
        """The present key."""
        return self._key

    def refresh(self) -> bool:
        """Read the file again if it changed; whether the key is another one now.

        A file that is gone or empty for a moment, as while a secret is swapped, changes nothing.
        Raises ApiSetupError only for the first reading.
        """
        if self._file is None:
            return False
        try:
            stat = self._file.stat()
            mark = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
            if mark == self._mark:
                return False
            key = self._file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            if self._key:
                return False
            cause = error.strerror if isinstance(error, OSError) else "not text"
            raise ApiSetupError(
                f"the API key file {self._file} cannot be read: {cause}: mend baseten.api_key_file"
            ) from None
        changed = bool(key) and key != self._key
        self._key, self._mark = key or self._key, mark
        return changed
