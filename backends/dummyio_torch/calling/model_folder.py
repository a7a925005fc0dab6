"""What Transformers would run in the folder of a model: code, kernels from the Hub, pickled weights."""

import json
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dummyio.errors import SourceError
from dummyio.sources.read_file import read_bounded_file

_IMPLEMENTATION = re.compile(r"_?\w+_implementation(_internal)?")
"""Keys of a configuration whose value names code: of attention, or of experts."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_]*")
_INDEX = "*.index.json"
_MAX_BYTES = 1 << 28
"""Of a configuration, or of a table of the weights of a large model."""


def find_code(config_file: Path) -> list[str]:
    """Return the code that a configuration would load beyond that of Transformers itself.

    Raises
    ------
    SourceError
        if the file is not a JSON object.
    """
    return find_kernels(_read_object(config_file))


def find_kernels(config: Any) -> list[str]:
    """Return the kernels that a configuration names, at any depth; it is an object of Transformers or a dict."""
    named = (item for key, item in _iterate_items(config) if _IMPLEMENTATION.fullmatch(key))
    return list(
        dict.fromkeys(f"the kernel {name!r:.80}" for item in named for name in _iterate_words(item) if _is_loaded(name))
    )


def list_custom_code(config_file: Path) -> list[str]:
    """Return the classes of its own code that a configuration names, at any depth."""
    maps = [item for key, item in _iterate_items(_read_object(config_file)) if key == "auto_map"]
    classes = (value for custom in maps if isinstance(custom, dict) for value in custom.values())
    return list(dict.fromkeys(f"code of its own ({value!s:.80})" for value in classes))


def check_weight_files(folder: Path) -> None:
    """Raise `SourceError` if a table of weight files names one outside of the folder."""
    for index in sorted(folder.glob(_INDEX)):
        table = _read_object(index).get("weight_map")
        for file in sorted({str(name) for name in table.values()}) if isinstance(table, dict) else []:
            if Path(file).name != file or "\\" in file or "\0" in file:
                raise SourceError(f"{index}: the file of weights {file[:80]!r} does not lie in this folder.")


def _read_object(file: Path) -> dict[str, Any]:
    content = read_bounded_file(file, _MAX_BYTES)
    try:
        value = json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{file}: it cannot be read as JSON ({error!s:.200}).") from error
    if not isinstance(value, dict):
        raise SourceError(f"{file}: it contains a {type(value).__name__}, and a JSON object is due.")
    return value


def _iterate_items(root: Any) -> Iterator[tuple[str, Any]]:
    """Yield each key with its value, of dicts and of objects of configuration in each other."""
    pending, seen = [root], set()
    while pending:
        value = pending.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, (list, tuple)):
            pending += value
            continue
        fields = value if isinstance(value, dict) else vars(value) if hasattr(value, "to_dict") else {}
        for key, item in fields.items():
            yield str(key), item
            pending.append(item)


def _iterate_words(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _iterate_words(item)


def _is_loaded(name: str) -> bool:
    """Whether Transformers takes the name for a repository of the Hub, or replaces a missing package by one."""
    flash = name.startswith("flash") and find_spec("kernels") is not None and find_spec("flash_attn") is None
    return flash or _PLAIN_NAME.fullmatch(name) is None
