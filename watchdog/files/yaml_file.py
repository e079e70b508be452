"""Reading a file of settings. Everything that is wrong with it is reported in one line for a
person."""

from pathlib import Path
from typing import IO, Any

import yaml

from watchdog.files.regular import read_regular

try:
    # Ten times as fast: ten thousand models take a third of a second.
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # PyYAML was built without libyaml
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

_DEEPEST = 20
"""Far deeper than any setting. Libyaml itself knows no limit, and crashes the process."""

_MERGE = "tag:yaml.org,2002:merge"


class YamlFileError(Exception):
    """The file cannot be read as settings. The text is one line: where, and what."""


class _Loader(_SafeLoader):
    """Rejects a duplicate key: YAML would silently use the last one. Says where a value is that
    cannot be read: YAML's own constructors let any error of Python through."""

    def __init__(self, stream: str | bytes | IO[str] | IO[bytes]) -> None:
        super().__init__(stream)
        # An alias to a node that contains it becomes an error, not an endless mapping.
        self.deep_construct = True
        self._checked: set[int] = set()

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except (AttributeError, LookupError, TypeError, ValueError):
            raise yaml.constructor.ConstructorError(
                problem="a value that cannot be read: put it in quotes if it is text",
                problem_mark=node.start_mark,
            ) from None

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """PyYAML calls this for each mapping before it reads it or merges it into another, and puts
        what is merged beside the keys. So each is checked once, as it was written."""
        if id(node) not in self._checked:
            self._checked.add(id(node))
            self._check_keys(node)
        super().flatten_mapping(node)

    def _check_keys(self, node: yaml.MappingNode) -> None:
        seen = set()
        for key_node, _ in node.value:
            is_merge = key_node.tag == _MERGE
            key = "<<" if is_merge else self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    problem="a setting's name must be text", problem_mark=key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {key!r} is there twice", problem_mark=key_node.start_mark
                )
            seen.add(key)


def read_settings(path: Path, most_bytes: int, *, example: str) -> dict[str, Any]:
    """The file's mapping; an empty file has none. A file with more bytes is refused. If it holds
    something else, the error names `example`. Raises YamlFileError."""
    try:
        content = read_regular(path, most_bytes)
    except OSError as error:
        raise YamlFileError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > most_bytes:
        most = f"{most_bytes >> 20} MiB"
        raise YamlFileError(f"{path}: larger than {most}: not a configuration")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise YamlFileError(f"{path}:{line}: not UTF-8 text: save the file as UTF-8") from None
    try:
        _check_depth(text)
        loaded = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise YamlFileError(f"{path}{_problem(error, text)}") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise YamlFileError(f"{path}: not a mapping of settings: see {example}")
    return loaded


def _check_depth(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, _SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            mark: Any = event.start_mark
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=mark)


def _problem(error: yaml.YAMLError, text: str) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        place = f":{mark.line + 1}:{mark.column + 1}"
        if text[mark.index : mark.index + 1] == "\t":
            return f"{place}: a tab: indent with spaces"
        return f"{place}: not YAML: {error.problem}"
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return f":{line}: not YAML: a control character: remove it"
    return ": not YAML: a value that cannot be read"
