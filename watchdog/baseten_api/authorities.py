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
        named = ((name, os.environ.get(name)) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
        self._variable, place = next((each for each in named if each[1]), ("", None))
        self._place = Path(place) if place else None
        self.read()

    @property
    def context(self) -> ssl.SSLContext:
        """A new object after each reading, so that connections can tell whether they use the
        present certificates. Making one takes 10 ms and 1 MB."""
        return self._context

    def read(self) -> None:
        """Read them now. If that fails, it raises ApiSetupError and keeps the earlier ones."""
        self._mark = self._present_mark()  # First, so that a later change is noticed.
        try:
            if self._place is not None:
                self._check(self._place)
            self._context = httpx.create_ssl_context()
        except OSError as error:  # ssl.SSLError is one
            what = "folder" if self._variable == "SSL_CERT_DIR" else "file"
            raise ApiSetupError(
                f"the CA certificates cannot be loaded: {self._variable}={self._place}: "
                f"{error.strerror}: name a {what} of PEM certificates, or unset it"
            ) from None

    def _check(self, place: Path) -> None:
        """Raises OSError. OpenSSL treats a folder that does not exist as one without certificates:
        every connection would fail."""
        if self._variable == "SSL_CERT_FILE":
            check_regular(place)
        else:
            os.scandir(place).close()

    def refresh(self) -> None:
        """Read them if they changed. If they cannot be read, as for a moment while a secret is
        replaced, the earlier ones stay."""
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
