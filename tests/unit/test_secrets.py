"""Every secret, wherever it comes from: what is around it is no part of it, and none is an error in
one line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from watchdog.app.parts import make_key
from watchdog.app.setup import SetupError
from watchdog.config import ConfigError, load_config

KEY, KEY_VARIABLE = "some-key", "BASETEN_API_KEY"
URL, URL_VARIABLE = "postgresql+psycopg://user:hunter2@db/ledger", "BASETEN_WATCHDOG_STORE__URL"

Read = Callable[[str, Path, pytest.MonkeyPatch], str]


def key_from_environment(text: str, folder: Path, patch: pytest.MonkeyPatch) -> str:
    return make_key(load_config().config, {KEY_VARIABLE: text})()


def key_from_file(text: str, folder: Path, patch: pytest.MonkeyPatch) -> str:
    config, file = folder / "watchdog.yaml", folder / "key"
    file.write_text(text)
    config.write_text("baseten: {api_key_file: key}")
    return make_key(load_config(config).config, {KEY_VARIABLE: "another"})()


def url_from_environment(text: str, folder: Path, patch: pytest.MonkeyPatch) -> str:
    patch.setenv(URL_VARIABLE, text)
    return load_config().config.store.url


def url_from_file(text: str, folder: Path, patch: pytest.MonkeyPatch) -> str:
    config = folder / "watchdog.yaml"
    config.write_text(json.dumps({"store": {"url": text}}))
    return load_config(config).config.store.url


SOURCES = [
    (key_from_environment, KEY, KEY_VARIABLE),
    (key_from_file, KEY, "key"),
    (url_from_environment, URL, URL_VARIABLE),
    (url_from_file, URL, "store.url"),
]
each_source = pytest.mark.parametrize(("read", "secret", "place"), SOURCES)


@each_source
@pytest.mark.parametrize("around", ["{}\n", "{}\r\n", " {} \n\n", "\t{}", "\ufeff{}\r\n"])
def test_white_space_around_a_secret_is_no_part_of_it(
    around: str,
    read: Read,
    secret: str,
    place: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert read(around.format(secret), tmp_path, monkeypatch) == secret


@each_source
@pytest.mark.parametrize("nothing", ["", " ", "\n", "\r\n\t"])
def test_an_empty_secret_is_one_line_that_says_where(
    nothing: str,
    read: Read,
    secret: str,
    place: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises((SetupError, ConfigError)) as refused:
        read(nothing, tmp_path, monkeypatch)
    (line,) = str(refused.value).splitlines()
    assert place in line
    assert "empty" in line


@each_source
def test_a_secret_of_two_lines_is_one_line_without_it(
    read: Read, secret: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises((SetupError, ConfigError)) as refused:
        read(f"{secret}\n{secret}", tmp_path, monkeypatch)
    (line,) = str(refused.value).splitlines()
    assert place in line
    assert "hunter2" not in line
    assert KEY not in line
