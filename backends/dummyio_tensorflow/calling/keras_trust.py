"""What a Keras file would run or read when it is loaded, found in its configuration and its tables before Keras opens it.

Keras has a safe mode, which does not cover all of this in all versions: the legacy format calls functions by name, older versions
import any module, and weights in HDF5 may be links to other files.
"""

import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import h5py
import keras

from dummyio.backend.formats import FORMATS
from dummyio.errors import SourceError
from dummyio_tensorflow.calling.keras_weights import WEIGHTS, iterate_members

_CONFIGURATION = "config.json"
_LARGEST = 1 << 28
"""Bytes of a configuration that are read."""
_ROOMS = (
    *(
        "activations",
        "constraints",
        "dtype_policies",
        "initializers",
        "layers",
        "losses",
        "metrics",
        "ops",
        "optimizers",
    ),
    *("quantizers", "random", "regularizers", "models"),
)
"""Parts of Keras whose objects compute, and do nothing else."""
_MODELS = ("Functional", "Model", "Sequential")
_LOADERS = ("TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
"""Layers that load another file, an object by pickle, or a function."""


def find_keras_dangers(path: Path) -> list[str]:
    """Return the parts of a ``.keras`` or ``.h5`` file that run code or read other files; raise `SourceError` for a file that is neither."""
    if path.suffix == FORMATS["keras"].suffix:
        with zipfile.ZipFile(path) as archive:
            found = _find_in_configuration(path, _read_member(path, archive))
            if WEIGHTS in archive.namelist():
                with archive.open(WEIGHTS) as stream, h5py.File(stream, "r") as file:
                    found += _find_links(file)
        return list(dict.fromkeys(found))
    with closing(h5py.File(path, "r")) as file:
        text = file.attrs.get("model_config")
        if text is None:
            raise SourceError(f"{path}: the file has weights and no model: save the whole model, model.save(path).")
        links = _find_links(file)
    return list(dict.fromkeys([*_find_in_configuration(path, text), *links]))


def _read_member(path: Path, archive: zipfile.ZipFile) -> bytes:
    size = archive.getinfo(_CONFIGURATION).file_size
    if size > _LARGEST:
        raise SourceError(f"{path}: its {_CONFIGURATION} has {size} bytes, at most {_LARGEST} are read.")
    return archive.read(_CONFIGURATION)


def _find_in_configuration(path: Path, text: str | bytes) -> list[str]:
    tree = json.loads(text)
    if not isinstance(tree, dict):
        raise SourceError(f"{path}: its configuration is a {type(tree).__name__} and not an object.")
    tree.pop("compile_config", None)  # of training: it is not loaded
    return [danger for part in _iterate_objects(tree) for danger in _find_in_object(part)]


def _iterate_objects(tree: Any) -> Iterator[dict[str, Any]]:
    left = [tree]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            yield part
            left += part.values()
        elif isinstance(part, list):
            left += part


def _find_in_object(part: dict[str, Any]) -> Iterator[str]:
    if isinstance(part.get("vocabulary"), str):
        yield f"a vocabulary in the file {part['vocabulary'][:80]!r}"
    if "class_name" not in part:
        return
    name, config, module = str(part["class_name"]), part.get("config"), part.get("module")
    inner = config if isinstance(config, dict) else {}
    if name == "__lambda__" or (name == "Lambda" and _has_code(inner)):
        yield "Python code of a Lambda"
    elif name in _LOADERS:
        yield f"a layer {name}"
    elif name == "function" or "config" in part:
        called = str(config) if name == "function" and isinstance(config, str) else name
        registered = str(part.get("registered_name") or called)
        if keras.saving.get_registered_object(registered) is None and not _is_harmless_name(module, called):
            yield f"the object {called[:80]!r} of {str(module)[:80]!r}"


def _has_code(config: dict[str, Any]) -> bool:
    """Whether a Lambda has a function that is neither an object of its own, which is checked itself, nor a name."""
    function = config.get("function")
    return not isinstance(function, (dict, str)) or "lambda" in {
        config.get("function_type"),
        config.get("output_shape_type"),
    }


def _is_harmless_name(module: Any, name: str) -> bool:
    if module is None or module == "builtins":  # looked up among the layers and functions of Keras, or registered
        return ">" in name or re.fullmatch(r"[A-Z]\w*|__\w+__", name) is not None or module == "builtins"
    first, *rest = f"{module}.{name}".split(".")
    rest = rest[1:] if rest[:1] == ["src"] else rest
    if first == "keras_hub" and rest[:1] in (["layers"], ["models"]):  # its tokenizers read files
        return re.search("Tokenizer|Preprocessor|Converter", name) is None
    if first != "keras" or not all(map(str.isidentifier, rest)):
        return False
    if len(rest) == 1 or rest[0] == "models":
        return rest[-1] in (*_MODELS, "DTypePolicy", "Layer", "Variable")
    return rest[0] in _ROOMS


def _find_links(file: h5py.File) -> list[str]:
    """Return links to other files, and tables whose values are in other files."""
    found: list[str] = []
    for member in iterate_members(file):
        if isinstance(member, h5py.ExternalLink):
            found.append(f"a link to the file {str(member.filename)[:80]!r}")
            continue
        outside = [name for name, *_ in member.external or ()]
        outside += [one.file_name for one in member.virtual_sources()] if member.is_virtual else []
        found += [f"values in the file {str(name)[:80]!r}" for name in outside if name != "."]
    return found
