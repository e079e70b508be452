"""What the configuration file may look like, before any of its settings is judged."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from watchdog.config import ConfigError, load_config, policies


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"mode: retry\nmode: retry\n", ":2:1: not YAML: the key 'mode' is there twice"),
        (b"policy:\n  jitter: 0\n  jitter: 0\n", ":3:3: not YAML: the key 'jitter' is there"),
        (b"a: &a {}\nb:\n  <<: *a\n  <<: *a\n", ":4:3: not YAML: the key '<<' is there twice"),
        (b"a: &a {}\nb: {<<: *a, <<: [*a]}\n", ":2:13: not YAML: the key '<<' is there twice"),
        (b"a: {<<: {b: 0, b: 0}}\n", ":1:16: not YAML: the key 'b' is there twice"),
        (b"policy:\n\tjitter: 0\n", ":2:1: a tab: indent with spaces"),
        (b"models: [a\n", ":2:1: not YAML: "),
        (b"mode: retry\n---\nmode: retry\n", ":2:1: not YAML: "),
        (b"- mode: retry\n", ": not a mapping of settings: see config/example.yaml"),
        (b"retry\n", ": not a mapping of settings: see config/example.yaml"),
        (b"1: 2\n", ":1:1: not YAML: a setting's name must be text"),
        (b"? [a]\n: 1\n", ":1:3: not YAML: a setting's name must be text"),
        (b"mode: retry\nwatch: \xff\n", ":2: not UTF-8 text: save the file as UTF-8"),
        (b"mode: retry\nwatch: \x07\n", ":2: not YAML: a control character: remove it"),
        (b"mode: 2024-99-99\n", ":1:7: not YAML: a value that cannot be read"),
        (b"mode: retry\nserver: {port: 0x_}\n", ":2:16: not YAML: a value that cannot be read"),
        (b"mode: !!timestamp soon\n", ":1:7: not YAML: a value that cannot be read"),
        (b"models: !!int ''\n", ":1:9: not YAML: a value that cannot be read"),
        (b"models: !!float ''\n", ":1:9: not YAML: a value that cannot be read"),
        (b"models: !!bool ''\n", ":1:9: not YAML: a value that cannot be read"),
        (b"mode: !!python/name:os.system x\n", ":1:7: not YAML: could not determine"),
        (b"policy: &p\n  backoff: *p\n", ":1:9: not YAML: found unconstructable recursive"),
        (b"a: " + b"[" * 100, ":1:23: not YAML: nested too deeply"),
        (b"a: " + b"[" * 100_000, ":1:"),  # a place and a reason that depend on libyaml
        (b"#" * (1024 * 1024 + 1), ": larger than 1 MiB: not a configuration"),
    ],
    ids=[
        "key-twice",
        "key-twice-below",
        "merged-twice",
        "merged-twice-in-one-line",
        "key-twice-in-what-is-merged",
        "tab",
        "unclosed",
        "two-documents",
        "list",
        "text",
        "number-as-key",
        "list-as-key",
        "not-utf-8",
        "control-character",
        "no-such-date",
        "no-number",
        "no-date",
        "empty-whole-number",
        "empty-number",
        "empty-switch",
        "python-object",
        "holds-itself",
        "too-deep",
        "far-too-deep",
        "too-large",
    ],
)
def test_refuses_in_one_line(content: bytes, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "watchdog.yaml"
    path.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        load_config(path)

    [told] = caught.value.problems
    assert told.startswith(f"{path}{problem}")
    assert "\n" not in told


def test_refuses_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read: No such file"):
        load_config(tmp_path / "nowhere.yaml")


def test_refuses_a_directory(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_config(tmp_path)


@contextmanager
def not_as_root() -> Iterator[None]:
    """Root reads everything, so it becomes another user for this time."""
    found = os.geteuid()
    if found == 0:
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        yield
    finally:
        os.seteuid(found)


def test_refuses_a_file_that_it_may_not_read() -> None:
    # Not in `tmp_path`, which is closed to other users as a whole.
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "watchdog.yaml"
        path.touch(mode=0)
        with (
            not_as_root(),
            pytest.raises(ConfigError, match="cannot be read: Permission denied"),
        ):
            load_config(path)


def test_reads_shared_settings_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "watchdog.yaml"
    path.write_text(
        "\ufeffmodels:\n"
        "  - id: abc123\n    policy: &mine {max_attempts: 2}\n"
        "  - id: def456\n    policy:\n      <<: *mine\n      jitter: 0.1\n"
    )

    found = policies(load_config(path).config)

    assert [policy.max_attempts for policy in found.values()] == [2, 2]
    assert [policy.jitter for policy in found.values()] == [0.5, 0.1]


def test_a_mapping_may_override_what_it_merges_and_be_used_again(tmp_path: Path) -> None:
    path = tmp_path / "watchdog.yaml"
    path.write_text(
        "models:\n"
        "  - {id: a, policy: {<<: &b {<<: {jitter: 0.1}, jitter: 0.2}}}\n"
        "  - {id: b, policy: *b}\n"
    )

    found = policies(load_config(path).config)

    assert [policy.jitter for policy in found.values()] == [0.2, 0.2]
