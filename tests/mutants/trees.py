"""Private copies of the repository: what is broken is never the tree that others read."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]


def copy(to: Path, *names: str) -> Path:
    """Copy these files and directories of the repository to a directory, and return it.

    What Python compiled goes with them: it is good for each file that stays as it is.
    """
    to.mkdir(parents=True, exist_ok=True)
    for name in names:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, to / name)
        else:
            shutil.copy2(ROOT / name, to / name)
    return to
