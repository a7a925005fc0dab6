"""Loads the model that a command line names: a folder, a file, or an object of Python code."""

import importlib
import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

from dummyio.backend.formats import detect_path_format, is_present
from dummyio.backend.registry import load_backend
from dummyio.errors import SourceError, format_error_line
from dummyio.option_types import convert_option
from dummyio.signals import Terminated

_CODE = re.compile(r"(?P<module>.+?):(?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*)(?P<call>\(\))?")


def load_model(reference: str, task: str | None = None, *, trust: bool = False) -> tuple[Any, str]:
    """Return the model that `reference` names, and a phrase that describes it.

    Parameters
    ----------
    reference
        The folder of a Hugging Face model, its ``config.json`` (random weights), a ``.keras`` or ``.h5`` file, an artifact
        (its path is returned), ``module:name`` or ``file.py:name`` for an object of Python code, or ``module:name()`` for
        the return value of a function.
    task
        Chooses the class of a Hugging Face model whose configuration names none.
    trust
        Whether a file may contain code that loading it runs, as in `dummyio.open_runner`. Python code that the reference
        itself names is run in any case.

    Raises
    ------
    SourceError
        if `reference` does not exist, or cannot be loaded; the cause is chained.
    TrustError
        if the file contains code, unless `trust`.
    NotInstalledError
        if a library that it needs is not installed.
    """
    trust = convert_option("trust", trust, bool)
    path = Path(reference)
    found = detect_path_format(path) if is_present(path) else None
    if found is not None and found.loaded_by is not None:
        backend: Any = load_backend(found.loaded_by)
        loaded: tuple[Any, str] = backend.load(path, task, **({"trust": True} if trust else {}))
        return loaded
    if found is not None:
        return path, f"the artifact {path}"
    code = _CODE.fullmatch(reference)
    if code is not None and not is_present(path):
        return _load_from_code(code), f"{reference} of Python code"
    if not is_present(path):
        raise SourceError(
            f"{reference}: no such file or folder; an object of Python code is module:name or file.py:name."
        )
    raise SourceError(
        f"{reference}: give the folder of a Hugging Face model, a config.json, a .keras file, an artifact, "
        "or module:name or file.py:name for an object of Python code."
    )


def _load_from_code(code: re.Match[str]) -> Any:
    """Import a module or a file and return an object of it."""
    where = code["module"]
    try:
        found: Any = _import_module(where)
    except Terminated:
        raise
    except (Exception, SystemExit) as error:  # a script may end itself, with a code that is not ours
        raise SourceError(f"{where}: cannot be imported: {format_error_line(error)}") from error
    for name in code["name"].split("."):
        if not hasattr(found, name):
            raise SourceError(f"{where} has no {code['name']!r}.")
        found = getattr(found, name)
    if not code["call"]:
        return found
    try:
        return found()
    except Terminated:
        raise
    except (Exception, SystemExit) as error:
        raise SourceError(f"{code[0]} failed: {format_error_line(error)}") from error


def _import_module(where: str) -> Any:
    """Return a file as a module, or a module by its dotted name, which may be in the current folder."""
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
