"""From what a command line can say to a model: a folder, a file, or a place in Python code."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

from dummyio.backend.formats import detect_path_framework
from dummyio.backend.registry import load_backend
from dummyio.errors import SourceError

__all__ = ["load_model"]

_CODE = re.compile(r"(?P<module>.+?):(?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*)(?P<call>\(\))?")


def load_model(reference: str, task: str | None = None) -> tuple[Any, str]:
    """Return the model that `reference` names, and a sentence that says what it is.

    Parameters
    ----------
    reference
        The folder of a Hugging Face model, its ``config.json`` (random weights), a ``.keras`` or ``.h5`` file, an artifact
        (its path is returned), or ``module:name`` and ``file.py:name`` for an object in Python code, ``module:name()`` for
        what a function returns.
    task
        Chooses the class of a Hugging Face model whose configuration names none.

    Raises
    ------
    SourceError
        where there is no such thing, or it cannot be loaded; the cause is chained.
    NotInstalledError
        where its library is missing.
    """
    path = Path(reference)
    if path.is_dir() and (path / "config.json").exists() and detect_path_framework(path) is None:
        return _loaded("pt", path, task)
    if path.is_file() and path.suffix == ".json":
        return _loaded("pt", path, task)
    if path.suffix in (".keras", ".h5") and path.is_file():
        return _loaded("tf", path, task)
    if path.exists() and detect_path_framework(path) is not None:
        return path, f"the artifact {path}"
    code = _CODE.fullmatch(reference)
    if code is not None and not path.exists():
        return _from_code(code), f"{reference} of Python code"
    if not path.exists():
        raise SourceError(f"{reference}: no such file or folder; Python code is named as module:name or file.py:name.")
    raise SourceError(
        f"{reference}: give the folder of a Hugging Face model, a config.json, a .keras file, an artifact, or module:name."
    )


def _loaded(framework: str, path: Path, task: str | None) -> tuple[Any, str]:
    backend: Any = load_backend(framework)
    found: tuple[Any, str] = backend.load(path, task)
    return found


def _from_code(code: re.Match[str]) -> Any:
    """Import a module or a file and return an object of it."""
    where = code["module"]
    try:
        found: Any = _module(where)
    except Exception as error:
        raise SourceError(f"{where}: cannot be imported: {type(error).__name__}: {error}") from error
    for name in code["name"].split("."):
        if not hasattr(found, name):
            raise SourceError(f"{where} has no {code['name']!r}.")
        found = getattr(found, name)
    if not code["call"]:
        return found
    try:
        return found()
    except Exception as error:
        raise SourceError(f"{code[0]} failed: {type(error).__name__}: {error}") from error


def _module(where: str) -> Any:
    """Return a module by its dotted name, which may lie in the current folder, or a file."""
    path = Path(where)
    if path.suffix == ".py":
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None or not path.is_file():
            raise FileNotFoundError(where)
        module = importlib.util.module_from_spec(spec)
        sys.modules.setdefault(path.stem, module)
        spec.loader.exec_module(module)
        return module
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    return importlib.import_module(where)
