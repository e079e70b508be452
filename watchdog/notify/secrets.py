"""Masks the parts of a receiver's URL, which may be secrets, in an answer before it is shown."""

from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote, urlsplit

from watchdog.text.untrusted import MASK, clean

_SHORTEST = 4
"""In characters. A shorter part is no secret, and masking it would make answers unreadable."""


def shown(answer: str, url: str) -> str:
    """An answer in one line, with every part of the URL masked that is not its scheme or host."""
    for part in sorted(set(_parts(url)), key=len, reverse=True):
        answer = answer.replace(part, MASK)
    return clean(answer)


def _parts(url: str) -> Iterator[str]:
    try:
        split = urlsplit(url)
        values = [split.username, split.password, split.fragment, *split.path.split("/")]
    except ValueError:
        values = [url]
    else:
        values += [split.netloc.rpartition("@")[0], split.query]
        values += [value for _, value in parse_qsl(split.query)]
        # In `slack://a/b/c` and similar URLs, even the host is a secret.
        if split.scheme not in ("http", "https"):
            values.append(split.hostname)
    for value in values:
        for each in (value or "", unquote(value or "")):
            if len(each) >= _SHORTEST and each != "localhost":
                yield each
