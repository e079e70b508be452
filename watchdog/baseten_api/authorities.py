"""The CA certificates that the API's certificate is checked with."""

import os
import ssl
from pathlib import Path

import httpx

from watchdog.baseten_api.key import ApiSetupError
from watchdog.files.mark import Mark, mark_of
from watchdog.files.regular import check_regular


class Authorities:
    """The certificates of the file SSL_CERT_FILE, or else of the folder SSL_CERT_DIR, or else those
    that httpx brings. They are read again when that file or folder changes."""

    def __init__(self) -> None:
        """Raises ApiSetupError."""
        self._file = Path(os.environ.get("SSL_CERT_FILE", ""))
        folder = Path(os.environ.get("SSL_CERT_DIR", ""))
        self._place = next((each for each in (self._file, folder) if each.name), None)
        self.read()

    @property
    def context(self) -> ssl.SSLContext:
        """A new object after each reading, so that connections can tell whether they use the
        present certificates. Making one takes 10 ms and 1 MB."""
        return self._context

    def read(self) -> None:
        """Read them now. Raises ApiSetupError, and keeps those that it has."""
        self._mark = self._present_mark()  # Before, so that a change meanwhile is noticed.
        try:
            if self._file.name:
                check_regular(self._file)
            self._context = httpx.create_ssl_context()
        except OSError as error:  # ssl.SSLError is one
            variable = "SSL_CERT_FILE" if self._file.name else "SSL_CERT_DIR"
            raise ApiSetupError(
                f"the CA certificates cannot be loaded: {variable}={self._place}: "
                f"{error.strerror}: name a file of PEM certificates, or unset it"
            ) from None

    def refresh(self) -> None:
        """Read them if they changed. What cannot be read, as for a moment while a secret is
        replaced, changes nothing."""
        if self._place is not None and self._present_mark() != self._mark:
            try:
                self.read()
            except ApiSetupError:
                return

    def _present_mark(self) -> Mark | None:
        try:
            return None if self._place is None else mark_of(self._place)
        except OSError:
            return None
