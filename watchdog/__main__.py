"""The entry point: `python -m watchdog`, and the console script."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType


def main() -> None:
    """Run the command line. If the operating system refuses something, it ends with one line and
    without a traceback."""
    _end_on_signals()
    try:
        status = _quick_health()
        if status is not None:
            sys.exit(status)
        # To look for plugins, Pydantic would read the metadata of every installed package.
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
        # httpx imports its own command line, and goes on without it if it cannot be imported. It
        # would load most of Rich and Pygments too.
        sys.modules["httpx._main"] = None  # type: ignore[assignment]
        if _quick_run():
            return
        # Imported here, because it takes longer than all of `health`, and reading so many files can
        # be refused too.
        from watchdog.cli import program

        program.main()
    except (OSError, RuntimeError, MemoryError) as error:
        from watchdog.refusal import refusal

        cause = refusal(error)
        if cause is None:
            raise
        sys.stderr.write(f"error: {cause}\n")
        sys.exit(2)


def _quick_health() -> int | None:
    """The exit status of `health` as a container runs it every half minute, without the imports of
    the command line, which cost several times as much as the question. None for another command,
    or if it is not known where to ask without reading the configuration."""
    if sys.argv[1:] != ["health"] or not (sys.stdout and sys.stderr):
        return None
    from watchdog.app.health import noted_address, report_health
    from watchdog.cli.console import written_output
    from watchdog.files.places import config_file, named_file

    address = noted_address(config_file(named_file(os.environ)), os.environ)
    if address is None:
        return None
    with written_output():
        return report_health(*address)


def _quick_run() -> bool:
    """Run the daemon as a container or a service does, without the command line's parser and the
    other commands: 3 MB all day, and 0.15 s of CPU at each start. False for another command or with
    other options."""
    match sys.argv[1:]:
        case ["run"]:
            named = ""
        case ["run", "--config" | "-c", named] if named:
            pass
        case _:
            return False
    from watchdog.cli.console import open_standard_streams, written_output
    from watchdog.cli.daemon import run_daemon
    from watchdog.files.places import config_file, named_file

    open_standard_streams()
    with written_output():
        run_daemon(config_file(Path(named) if named else named_file(os.environ)))
    return True


def _end_on_signals() -> None:
    """Until the daemon has handlers of its own, a signal ends it with the same exit code. The
    kernel drops a signal to process 1, as in a container, that has no handler."""
    if _runs_the_daemon():
        signal.signal(signal.SIGINT, _end_at_once)
    if _runs_the_daemon() or os.getpid() == 1:
        signal.signal(signal.SIGTERM, _end_at_once)


def _end_at_once(number: int, _: FrameType | None) -> None:
    os._exit(0 if _runs_the_daemon() else 128 + number)


def _runs_the_daemon() -> bool:
    return sys.argv[1:2] == ["run"]


if __name__ == "__main__":
    main()
