"""What Transformers would run in the folder of a model: code, kernels from the Hub, pickled weights."""

import json
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dummyio.errors import SourceError

_IMPLEMENTATION = re.compile(r"_?\w+_implementation(_internal)?")
"""Keys of a configuration whose value names code: of attention, or of experts."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_]*")
_INDEX = "*.index.json"
_MAX_DEPTH = 50


def find_code(config_file: Path) -> list[str]:
    """Return the code that a configuration would load beyond that of Transformers itself.

    Raises
    ------
    SourceError
        if the file is not a JSON object.
    """
    config = _read_object(config_file)
    return list(dict.fromkeys(_iterate_kernels(config)))


def list_custom_code(config_file: Path) -> list[str]:
    """Return the classes of its own code that a configuration names."""
    custom = _read_object(config_file).get("auto_map")
    values = list(custom.values()) if isinstance(custom, dict) else []
    return [f"code of its own ({value!s:.80})" for value in values]


def check_weight_files(folder: Path) -> None:
    """Raise `SourceError` if a table of weight files names one outside of the folder."""
    for index in sorted(folder.glob(_INDEX)):
        table = _read_object(index).get("weight_map")
        for file in sorted({str(name) for name in table.values()}) if isinstance(table, dict) else []:
            if Path(file).name != file or "\\" in file or "\0" in file:
                raise SourceError(f"{index}: the file of weights {file[:80]!r} does not lie in this folder.")


def _read_object(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{file}: it cannot be read as JSON ({error!s:.200}).") from error
    if not isinstance(value, dict):
        raise SourceError(f"{file}: it contains a {type(value).__name__}, and a JSON object is due.")
    return value


def _iterate_kernels(value: Any, depth: int = 0) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, dict):
        for key, item in value.items():
            if _IMPLEMENTATION.fullmatch(str(key)):
                yield from (f"the kernel {name!r:.80}" for name in _iterate_words(item) if _is_loaded(name))
            else:
                yield from _iterate_kernels(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _iterate_kernels(item, depth + 1)


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
