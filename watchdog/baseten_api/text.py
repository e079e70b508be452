"""Text from outside, made fit for an error message."""

MASK = "***"

_LONGEST = 500
"""Characters: enough for any reason that a person would read."""


def one_line(text: str, secret: str) -> str:
    """The text with the secret masked, what does not print escaped, cut at 500 characters."""
    text = text.replace(secret, MASK)[: _LONGEST + 1]
    text = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
