"""Text from outside, made fit to print."""

MASK = "***"

LONGEST = 500
"""Characters: enough for any reason a person would read; megabytes must not fill a log."""


def clean(text: str, secret: str = "") -> str:
    """The text in one line: the secret masked, what does not print escaped, cut at 500 characters.

    What does not print are control characters, line separators, and what hides or reverses text.
    """
    if secret:
        text = text.replace(secret, MASK)
    text = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in text[: LONGEST + 1]
    )
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
