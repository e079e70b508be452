"""The image: its recipe read by linters, and the steps that it relies on, run without a builder."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.servers import ROOT
from tests.deploy.tools import checkov, run

DOCKERFILE = ROOT / "Dockerfile"
USER = 65532

# Byte code begins with a number of the Python, flags, and with the flag 1 the hash of its source.
_STALE = """
import importlib.util, sys
from pathlib import Path
sources = sorted(Path(sys.argv[1]).rglob("*.py"))
print(len(sources))
for source in sources:
    code = Path(importlib.util.cache_from_source(source))
    expected = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little")
    expected += importlib.util.source_hash(source.read_bytes())
    if not code.exists() or code.read_bytes()[:16] != expected:
        print(source)
"""

REASONS = {
    "CKV_DOCKER_7": "the base is an argument; its default has a tag",
}


def instructions(name: str) -> list[str]:
    """Those of the last stage, with their lines joined."""
    joined = re.sub(r"\\\n\s*", "", DOCKERFILE.read_text())
    final = joined[joined.rindex("\nFROM ") :]
    return re.findall(rf"^{name} (.+)$", final, re.MULTILINE)


def test_hadolint_and_checkov_find_nothing_wrong() -> None:
    linted = run("hadolint", DOCKERFILE)
    assert (linted.returncode, linted.stdout) == (0, "")
    assert checkov("dockerfile", REASONS, DOCKERFILE) == []


def test_it_runs_the_command_itself_as_a_user_with_a_number() -> None:
    (user,) = instructions("USER")
    assert user == f"{USER}:{USER}"
    (entrypoint,) = instructions("ENTRYPOINT")
    assert json.loads(entrypoint) == ["baseten-watchdog"], "a shell would keep SIGTERM to itself"
    (check,) = instructions("HEALTHCHECK")
    assert "--timeout=10s" in check
    assert check.endswith('CMD ["baseten-watchdog", "health"]')
    assert instructions("VOLUME") == ["/var/lib/baseten-watchdog"]


def test_the_build_context_has_only_what_the_image_needs() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    wanted = {line[1:] for line in lines if line.startswith("!")}
    assert lines[1] == "*"
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE.read_text(), re.MULTILINE)
    assert wanted == {name for names in copied for name in names.split()}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the build stage makes, by the same steps, of the same files, with Debian's Python where
    there is one: an unprivileged user can read that."""
    folder = tmp_path_factory.mktemp("image")
    python = "/usr/bin/python3" if _new_enough("/usr/bin/python3") else sys.executable
    venv = folder / "opt"
    steps = re.findall(
        r"pip --python \S+ (install|uninstall)((?: \S+)*?)(?= &&|$)",
        re.sub(r"\s*\\\n\s*", " ", DOCKERFILE.read_text()),
        re.MULTILINE,
    )
    assert [verb for verb, _ in steps] == ["install", "install", "uninstall"]
    for name in ("pyproject.toml", "requirements.lock", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "watchdog", folder / "watchdog")
    subprocess.run([python, "-m", "venv", "--without-pip", venv], check=True)
    for verb, options in steps:
        pip = [sys.executable, "-m", "pip", "--python", venv / "bin/python", verb, "--quiet"]
        subprocess.run([*pip, *options.split()], check=True, cwd=folder)
    _compile(venv)
    yield venv
    shutil.rmtree(folder)


def _compile(venv: Path) -> None:
    """As the Dockerfile does, with the Python of the environment."""
    (options,) = re.findall(
        r"RUN /opt/baseten-watchdog/bin/python -m (compileall .+) /opt/baseten-watchdog/lib ",
        DOCKERFILE.read_text(),
    )
    subprocess.run([venv / "bin/python", "-m", *options.split(), venv / "lib"], check=True)


def _byte_code(venv: Path) -> dict[Path, bytes]:
    return {path.relative_to(venv): path.read_bytes() for path in venv.rglob("*.pyc")}


def _new_enough(python: str) -> bool:
    asked = "import sys; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([python, "-c", asked], check=False).returncode == 0
    except OSError:
        return False


def test_what_is_installed_is_what_runs_and_nothing_of_development(installed: Path) -> None:
    found = {path.name for path in installed.glob("lib/python3*/site-packages/*")}
    assert {"watchdog", "psycopg", "psycopg_binary"} <= found
    assert not found & {"pytest", "mypy", "setuptools", "pip", "tests"}
    package = next(installed.glob("lib/python3*/site-packages/watchdog"))
    shipped = {path.relative_to(package) for path in package.rglob("*") if path.suffix != ".pyc"}
    written = (ROOT / "watchdog").rglob("*")
    wanted = {path.relative_to(ROOT / "watchdog") for path in written if path.suffix != ".pyc"}
    assert {path for path in shipped if path.name != "__pycache__"} == {
        path for path in wanted if path.name != "__pycache__"
    }


def test_no_byte_code_is_stale_whatever_the_times_of_the_files(installed: Path) -> None:
    """A layer rounds modification times, so that byte code which is checked against them would be
    compiled anew at each start, on a tree that cannot be written."""
    command: list[str | Path] = [installed / "bin/python", "-c", _STALE, installed / "lib"]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    sources, *stale = checked.stdout.splitlines()
    assert int(sources) > 1000
    assert stale == []


def test_two_builds_make_the_same_byte_code(installed: Path) -> None:
    first = _byte_code(installed)
    for path in first:
        (installed / path).unlink()
    _compile(installed)
    assert _byte_code(installed) == first


def test_it_works_for_a_user_without_rights_who_can_write_one_folder(
    installed: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    if os.geteuid() == 0:
        os.chown(state, USER, USER)
        for parent in (*installed.parents, *state.parents):
            if str(parent).startswith("/tmp/"):
                parent.chmod(parent.stat().st_mode | 0o055)
    environment = {"XDG_STATE_HOME": str(state), "BASETEN_API_KEY": "k", "PATH": "/nowhere"}
    as_user = {"user": USER, "group": USER} if os.geteuid() == 0 else {}

    def do(*arguments: str) -> subprocess.CompletedProcess[str]:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [installed / "bin/baseten-watchdog", *arguments],
            env=environment,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            **as_user,  # type: ignore[call-overload]
        )
        return done

    assert do("--version").stdout.startswith("baseten-watchdog ")
    paused = do("pause", "--all", "--for", "1h", "--create")
    assert paused.returncode == 0, paused.stderr
    assert (state / "baseten-watchdog/ledger.db").exists()
    shown = do("status")
    assert shown.returncode == 0, shown.stderr
    assert "paused: all models" in shown.stdout
