"""Making text from outside safe to print."""

import re

LONGEST = 500
"""Enough for any reason a person would read; a body of megabytes must not fill a log."""

# C0 and C1 controls, DEL, line and paragraph separators, and what reverses or hides text.
_UNSAFE = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u2069\\ufeff\\ud800-\\udfff]"
)


def clean(text: str, secret: str = "") -> str:
    """The text in one line: the secret masked, control characters escaped, cut at 500."""
    if secret:
        text = text.replace(secret, "***")
    text = _UNSAFE.sub(lambda found: f"\\u{ord(found.group()):04x}", text[: LONGEST + 1])
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
