"""Text from outside, made safe to print and to store. This module alone says how text is cleaned.
Text is cleaned where it enters, and again where it is printed.

The result has no NUL and no half of a character, which some databases refuse, and no control
character, which a terminal or a log would take for an instruction.
"""

import re

MASK = "***"

LONGEST = 500
"""Characters of a reason, a message, a note or a line of a log: enough for any that a person would
read. Megabytes must not fill a log or a ledger."""

LONGEST_NAME = 100
"""Characters of the name of a model, a team or a person: as many as the configuration allows a
model's name, and a cell of a table."""

LONGEST_ID = 200
"""Characters of an id or a status: several times the length of any that the API is known to
return."""

_LONG_SECRET = 10
"""Characters. The keys of the API are far longer. A shorter one, as for the emulator, may be a
word: it is masked where it stands alone, and not as a part of a name or a path."""

_JOINER = "\u200d"
_JOINED = re.compile(
    "(?<=[\u2190-\u2bff\ufe0f\U0001f000-\U0001faff])\u200d(?=[\u2190-\u2bff\U0001f000-\U0001faff])"
)
"""Where two pictures are joined to one emoji. A joiner elsewhere hides something."""


def clean(text: str, secret: str = "", *, most: int = LONGEST) -> str:
    """The text in one line: the secret masked, what does not print escaped, cut at `most`
    characters.

    What does not print are control characters, line separators, halves of characters, and what
    hides or reverses text. A text that is clean already stays as it is.
    """
    if secret:
        text = _masked(text, secret)
    if text.isascii() and text.isprintable() and len(text) <= most:
        return text  # Nearly all texts, and several of each target in each scrape.
    parts = _JOINED.split(text[: most + 1])
    text = _JOINER.join(map(_escaped, parts))
    return text if len(text) <= most else f"{text[: most - 3].rstrip(_JOINER)}..."


def _masked(text: str, secret: str) -> str:
    if len(secret) >= _LONG_SECRET:
        return text.replace(secret, MASK)
    word = rf"(?<![\w./-]){re.escape(secret)}(?![./-]*\w)"
    return re.sub(word, MASK, text)


def is_visible(text: str) -> bool:
    """Whether `clean` has nothing to escape in it."""
    return text.isprintable() or _JOINED.sub("", text).isprintable()


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def is_plain(text: str) -> bool:
    """Whether a text that identifies something, an id or a status, can be used as it is. Cleaning
    would change which thing it identifies."""
    return 0 < len(text) <= LONGEST_ID and text.isprintable()
