"""The wheel and the sdist, as `make dist` builds them, each installed into an environment that has
nothing else, and run from there."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.deploy.servers import ROOT
from tests.fakes.processes import Process, running
from watchdog import __version__

UV = Path(sys.executable).parent / "uv"
BUILT = {
    "wheel": f"baseten_watchdog-{__version__}-py3-none-any.whl",
    "sdist": f"baseten_watchdog-{__version__}.tar.gz",
}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    options = ["--quiet", "--no-build-isolation", "--no-create-gitignore", "--python"]
    command: list[str | Path] = [UV, "build", *options, sys.executable, "--out-dir", folder]
    subprocess.run(command, check=True, cwd=ROOT)
    assert {path.name for path in folder.iterdir()} == set(BUILT.values())
    return folder


def installed(package: Path, extra: str, folder: Path) -> Path:
    """The folder of the programs of a new environment with this package."""
    venv = folder / "venv"
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, venv], check=True)
    python = venv / "bin/python"
    command: list[str | Path] = [
        UV,
        "pip",
        "install",
        "--quiet",
        "--python",
        python,
        f"{package}{extra}",
    ]
    subprocess.run(command, check=True)
    return venv / "bin"


def modules(programs: Path) -> set[str]:
    return {path.name for path in programs.parent.glob("lib/python3*/site-packages/*")}


@pytest.mark.parametrize(("kind", "extra"), [("wheel", ""), ("sdist", "[postgres]")])
def test_what_is_installed_from_it_runs(dist: Path, kind: str, extra: str, tmp_path: Path) -> None:
    programs = installed(dist / BUILT[kind], extra, tmp_path)
    program = str(programs / "baseten-watchdog")
    env = {**os.environ, "PYTHONUNBUFFERED": "1", "HOME": str(tmp_path), "PYTHONPATH": ""}
    assert ("psycopg" in modules(programs)) is (extra == "[postgres]")
    assert not modules(programs) & {"tests", "deploy", "pytest"}
    shown = subprocess.run(
        [program, "config", "show", ROOT / "config/example.yaml"],
        env={**env, "BASETEN_API_KEY": "k"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (shown.returncode, "max_attempts" in shown.stdout) == (0, True), shown.stderr
    with running(Process([program, "demo"], env)) as demo:
        demo.until("retry_accepted")
        demo.signal(signal.SIGINT)
        demo.until("retries (")
        assert demo.wait() == 0


def test_the_wheel_holds_the_package_alone(dist: Path) -> None:
    tops = {Path(name).parts[0] for name in ZipFile(dist / BUILT["wheel"]).namelist()}
    assert {top.partition("-")[0] for top in tops} == {"watchdog", "baseten_watchdog"}
