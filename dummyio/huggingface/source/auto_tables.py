"""The tables of the installed library: the class of a model type for each use, and the file of a class.

The library's `models/auto` folder holds them as assignments of ordered dicts, some of which take over the entries of
others or are updated further down. Only the statements of the table that is asked for are parsed.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from dummyio.huggingface.source.class_lookup import ClassSource, class_in_files, class_names, imported_from, read_text
from dummyio.huggingface.source.evaluator import evaluate_constant
from dummyio.huggingface.source.installed import transformers_root
from dummyio.huggingface.source.statements import find_statements

Preprocessing: TypeAlias = Literal["processing", "tokenization", "feature_extraction"]
Part: TypeAlias = Literal["modeling", "configuration"] | Preprocessing

_TYPE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*")
_NO_ENTRIES: Mapping[str, Any] = MappingProxyType({})
_TABLE_NAME = re.compile(r"^(MODEL_\w*NAMES)\b.* = ", re.MULTILINE)
_PREPROCESSORS: Mapping[Preprocessing, str] = {
    "processing": "PROCESSOR_MAPPING_NAMES",
    "tokenization": "TOKENIZER_MAPPING_NAMES",
    "feature_extraction": "FEATURE_EXTRACTOR_MAPPING_NAMES",
}
"""Kind of preprocessor → its table, in the file of that kind."""
_ROW = re.compile(r"\(\s*\"([\w.\-]+)\",\s*\(?\s*\"(\w+)\"")
_TABLES_INSIDE = re.compile(r"(?<![\"\w])[A-Z]\w*_NAMES?\b")


@lru_cache(maxsize=1)
def auto_tables() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Give all tables of model classes: table name → model type → its classes, the default one first."""
    path = _auto_file("modeling")
    names = dict.fromkeys(_TABLE_NAME.findall(read_text(path))) if path else ()
    return MappingProxyType({name: auto_table(name) for name in names})


@lru_cache(maxsize=256)
def auto_table(name: str) -> Mapping[str, tuple[str, ...]]:
    """Give one table of model classes by its name, empty where the installed library has none of that name."""
    path = _auto_file("modeling")
    table = _table(path, name) if path else _NO_ENTRIES
    return MappingProxyType({key: (value,) if isinstance(value, str) else tuple(value) for key, value in table.items()})


def class_for(model_type: str, table: str) -> str | None:
    """Name the default class of a model type in a table, None where the table does not list the type."""
    return next(iter(auto_table(table).get(model_type, ())), None)


def tables_of(class_name: str) -> tuple[str, ...]:
    """Name the tables that list a class, in the library's order."""
    return _tables_by_class().get(class_name, ())


@lru_cache(maxsize=1)
def _tables_by_class() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for name, table in auto_tables().items():
        for classes in table.values():
            for class_name in classes:
                found.setdefault(class_name, {})[name] = None
    return {class_name: tuple(names) for class_name, names in found.items()}


def configuration_class(model_type: str) -> str | None:
    """Name the configuration class of a model type, None where the installed library does not know the type."""
    path = _auto_file("configuration")
    return _table(path, "CONFIG_MAPPING_NAMES").get(model_type) if path else None


@lru_cache(maxsize=8)
def preprocessor_table(kind: Preprocessing) -> Mapping[str, Any]:
    """Give the library's table of one kind of preprocessor: model type → its class, or classes; empty if there is none.

    Rows with a class that depends on installed packages count as if these were there: only its source is of interest.
    """
    path, name = _auto_file(kind), _PREPROCESSORS[kind]
    if path is None or not path.exists():
        return _NO_ENTRIES
    rows = (row for text in find_statements(read_text(path), f"{name} = ", f"{name}: ") for row in _ROW.findall(text))
    return MappingProxyType({**dict(rows), **_table(path, name)})


def processor_table() -> Mapping[str, Any]:
    """Give the library's table of processors: model type → the class that makes its inputs of texts and media together."""
    return preprocessor_table("processing")


@lru_cache(maxsize=1024)
def class_source(name: str, model_type: str | None = None, part: Part = "modeling") -> ClassSource | None:
    """Find a model or configuration class: in its model type's folder, else in all folders."""
    for folder in _folders(model_type) if model_type else ():
        if found := class_in_files(_files(folder, part), name):
            return found
    root = transformers_root()
    folders = sorted(path for path in (root / "models").iterdir() if path.is_dir()) if root else ()
    return class_in_files((file for folder in folders for file in _files(folder, part)), name)


@lru_cache(maxsize=1024)
def foreign_type_of(class_name: str, model_type: str) -> str | None:
    """Name the model type that a class is of, where it is not the given one; None where it is, or where that is not known."""
    config_name = configuration_class(model_type)
    if config_name is None or any(class_name in table.get(model_type, ()) for table in auto_tables().values()):
        return None
    found, own = class_source(class_name, model_type), class_source(config_name, model_type, "configuration")
    if found is None or own is None or found.path.parent in {own.path.parent, *_folders(model_type)}:
        return None
    listed = (kind for table in auto_tables().values() for kind, classes in table.items() if class_name in classes)
    return next(listed, found.path.parent.name)


@lru_cache(maxsize=1024)
def classes_of(model_type: str) -> tuple[str, ...]:
    """List the model classes of a model type: those in its own files that begin as its configuration's name does.

    One folder may hold several model types; the longest beginning that a class shares with one of them decides.
    """
    own = _beginning(model_type)
    files = [file for folder in _folders(model_type) if folder.is_dir() for file in _files(folder, "modeling")]
    beginnings = {b for folder in {file.parent for file in files} for b in _beginnings(folder)}
    names = dict.fromkeys(name for file in files for name in class_names(file))
    longer = tuple(b for b in beginnings if len(b) > len(own) and b.startswith(own))
    return tuple(n for n in names if n.startswith(own) and not (longer and n.startswith(longer)))


def _beginning(model_type: str) -> str:
    return (configuration_class(model_type) or "").removesuffix("Config")


@lru_cache(maxsize=1024)
def _beginnings(folder: Path) -> tuple[str, ...]:
    """Name what the configurations in a folder begin with."""
    names = (name for file in _files(folder, "configuration") for name in class_names(file))
    return tuple(name.removesuffix("Config") for name in names if name.endswith("Config"))


def _folders(model_type: str) -> Iterator[Path]:
    """Give the folders that may hold a model type: by its name, by the library's table of exceptions."""
    root, path = transformers_root(), _auto_file("configuration")
    if root is None or path is None or not _TYPE_NAME.fullmatch(model_type):  # a name, never a path
        return
    by_name = root / "models" / model_type.replace("-", "_")
    yield by_name
    exception = _table(path, "SPECIAL_MODEL_TYPE_TO_MODULE_NAME").get(model_type)
    if exception and exception != by_name.name:
        yield root / "models" / exception


def _files(folder: Path, part: Part) -> list[Path]:
    """List the files of one part of a model, the one that has the folder's name first."""
    main = f"{part}_{folder.name}.py"
    return sorted(folder.glob(f"{part}_*.py"), key=lambda path: (path.name != main, path.name))


def _auto_file(part: Part) -> Path | None:
    root = transformers_root()
    return root / "models" / "auto" / f"{part}_auto.py" if root else None


@lru_cache(maxsize=256)
def _table(path: Path, name: str) -> Mapping[str, Any]:
    """Read a table through all statements that assign or update it, after what the file imports under its name."""
    origin = imported_from(path, name)
    table: Mapping[str, Any] = _table(*origin) if origin else _NO_ENTRIES
    for text in find_statements(read_text(path), f"{name} = ", f"{name}: ", f"{name}.update("):
        statement = ast.parse(text).body[0]
        names = {other: _table(path, other) for other in _TABLES_INSIDE.findall(text) if other != name}
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value:
            table = evaluate_constant(statement.value, otherwise=table, names={**names, name: table})
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            table = {**table, **evaluate_constant(statement.value.args[0], otherwise={}, names=names)}
    return MappingProxyType(table)


def find_class_module(class_name: str | None, model_type: str | None) -> str | None:
    """Return the module of the installed Transformers that defines a class of a model type; None if there is none."""
    root = transformers_root()
    found = class_source(class_name, model_type) if class_name and model_type else None
    if found is None or root is None:
        return None
    return ".".join(("transformers", *found.path.relative_to(root).with_suffix("").parts))
