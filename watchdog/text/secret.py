"""The one rule for every secret, from a file or from the environment."""


def stripped(secret: str) -> str:
    """The secret without the white space around it: files and Kubernetes Secrets often end in a
    newline. An empty one is no secret. Some editors begin a file with a byte order mark."""
    return secret.removeprefix("\ufeff").strip()
