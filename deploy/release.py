"""What a release is made of, computed from the one version in `watchdog/__init__.py`:

python -m deploy.release check v1.2.3   # is everything ready for this tag? Writes dist/notes.md
python -m deploy.release facts IMAGE    # what the image is built with, one NAME=VALUE a line
"""

import re
import subprocess
import sys
from pathlib import Path

from watchdog import __version__

ROOT = Path(__file__).parents[1]


def notes(changelog: str, version: str) -> str | None:
    """The text of a released version in the changelog; None if it has none with a date."""
    parts = re.split(r"(?m)^## ", changelog)
    head = re.compile(rf"\[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d\n")
    return next((head.sub("", part).strip() for part in parts if head.match(part)), None)


def problems(tag: str, changelog: str) -> list[str]:
    """Why a tag cannot be released."""
    found = []
    if tag != f"v{__version__}":
        found.append(f"the tag is {tag}, and watchdog/__init__.py has the version {__version__}")
    if not notes(changelog, __version__):
        found.append(f"CHANGELOG.md has no section '## [{__version__}] - YYYY-MM-DD' with a text")
    return found


def check(tag: str) -> int:
    """Print what is wrong and return 1, or write the notes of the release and return 0."""
    changelog = (ROOT / "CHANGELOG.md").read_text()
    found = problems(tag, changelog)
    for problem in found:
        sys.stderr.write(f"error: {problem}\n")
    if not found:
        (ROOT / "dist").mkdir(exist_ok=True)
        (ROOT / "dist/notes.md").write_text(f"{notes(changelog, __version__)}\n")
    return 1 if found else 0


def facts(image: str) -> int:
    """Print what the image is built with. Two builds of one commit have the same epoch."""
    command = ["git", "log", "-1", "--format=%ct"]
    epoch = subprocess.run(  # noqa: S603 - a constant
        command, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    lines = (f"tag={image.lower()}:{__version__}", f"version={__version__}", f"epoch={epoch}")
    sys.stdout.write("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit({"check": check, "facts": facts}[sys.argv[1]](sys.argv[2]))
