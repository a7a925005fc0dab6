"""A YAML file as nodes that know their lines, so that each error names the line that it is about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dummyio.errors import NotInstalledError, SpecError, escape_and_shorten, format_error_line
from dummyio.sources.read_file import read_bounded_file, shorten_path

_MOST_BYTES = 1 << 20
_MOST_NODES = 100_000
"""Nodes of a file, those of each use of an alias counted: ten lines of aliases can stand for billions."""
_MOST_DEPTH = 64


class YamlNode:
    """A part of a file."""

    def __init__(self, path: Path, node: Any) -> None:
        self._path, self._node = path, node
        self.line: int = node.start_mark.line + 1

    @property
    def kind(self) -> str:
        """``"mapping"``, ``"sequence"`` or ``"scalar"``."""
        return str(self._node.id)

    def error(self, message: str) -> SpecError:
        """Return an error about this part."""
        return SpecError(f"{shorten_path(self._path)}, line {self.line}: {escape_and_shorten(message, 2000)}")

    def items(self) -> Iterator[tuple[str, YamlNode]]:
        """Yield the keys of a mapping, as they are written, with their values."""
        seen: set[str] = set()
        for key, value in self._node.value:
            if key.id != "scalar":
                raise YamlNode(self._path, key).error("a key is not a word: write name: value.")
            if key.value in seen:
                raise YamlNode(self._path, key).error(f"{key.value!r} comes twice. Give each key once.")
            seen.add(key.value)
            node = YamlNode(self._path, value)
            node.line = key.start_mark.line + 1
            yield key.value, node

    def parts(self) -> Iterator[YamlNode]:
        """Yield the parts of a sequence."""
        for part in self._node.value:
            yield YamlNode(self._path, part)

    def scalar(self) -> Any:
        """Return a number, a truth value, None, or the text of anything else."""
        from yaml.constructor import SafeConstructor  # lazy: an optional package

        tag = self._node.tag.rpartition(":")[2]
        if tag not in ("int", "float", "bool", "null"):
            return self._node.value
        try:
            return SafeConstructor().construct_object(self._node)
        except Exception:  # noqa: BLE001 - a tag that its text contradicts
            return self._node.value

    def plain(self) -> Any:
        """Return all of this part as dicts, lists and scalars."""
        if self.kind == "mapping":
            return {key: value.plain() for key, value in self.items()}
        return [part.plain() for part in self.parts()] if self.kind == "sequence" else self.scalar()


def read_yaml(path: Path) -> YamlNode:
    """Return the root of a YAML file.

    Raises
    ------
    SpecError
        if the file is not YAML, or is too large or too deep.
    NotInstalledError
        without PyYAML.
    """
    try:
        import yaml  # lazy: an optional package
    except ModuleNotFoundError as error:
        raise NotInstalledError(
            "a spec in YAML needs PyYAML, which is not installed. Install it: pip install 'dummyio[yaml]', or write the spec as JSON."
        ) from error
    name = shorten_path(path)
    content = read_bounded_file(path, _MOST_BYTES)
    try:
        root = yaml.compose(content.decode("utf-8-sig"), Loader=yaml.SafeLoader)
        count = _count_nodes(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise SpecError(f"{name}{where}: not valid YAML: {error.problem or error.context}.") from None
    except (yaml.YAMLError, UnicodeError) as error:
        raise SpecError(f"{name}: not valid YAML: {format_error_line(error, 300)}.") from None
    except RecursionError:
        raise SpecError(f"{name}: nested too deeply.") from None
    if root is None:
        raise SpecError(f"{name}, line 1: the file is empty. Write inputs:, with a name and a dtype[axes] for each.")
    if count > _MOST_NODES:
        raise SpecError(f"{name}: more than {_MOST_NODES} parts, each use of an alias counted. Write fewer.")
    return YamlNode(path, root)


def _count_nodes(root: Any) -> int:
    """Return the number of nodes, at most one more than the limit; raise `RecursionError` for nodes that are too deep or in a circle."""
    count, walk = 0, [(root, 0)] if root is not None else []
    while walk and count <= _MOST_NODES:
        node, depth = walk.pop()
        count += 1
        if depth > _MOST_DEPTH:
            raise RecursionError
        if node.id == "mapping":
            walk += [(part, depth + 1) for pair in node.value for part in pair]
        elif node.id == "sequence":
            walk += [(part, depth + 1) for part in node.value]
    return count
