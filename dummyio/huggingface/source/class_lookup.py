"""Finds classes and their base classes in Python files without importing them.

Importing a library's models takes seconds, parsing one of their files tens of milliseconds. So only the class that was
asked for is cut out of its file. Base classes are followed through the import lines, and only inside the package:
`torch.nn.Module` and its like end the walk.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from dummyio.huggingface.source.cache_invalidation import track_file
from dummyio.huggingface.source.installed import transformers_root
from dummyio.huggingface.source.statements import find_class, find_statements, parse_header

_CLASS = re.compile(r"^class (\w+)", re.MULTILINE)
# Indented ones too: the packages of a lazily loaded library import under `if TYPE_CHECKING:`.
_IMPORT = re.compile(r"\n[ \t]*from (\.*)([\w.]*) import (?:\(([^)]*)\)|([^(\n]+))")


@dataclass(frozen=True)
class ClassSource:
    """A top-level class as text, and the file it stands in."""

    name: str
    path: Path
    text: str = field(compare=False, repr=False)


@lru_cache(maxsize=128)
def read_text(path: Path) -> str:
    """Read a source file."""
    track_file(path)
    return path.read_text(encoding="utf-8")


def class_names(path: Path) -> tuple[str, ...]:
    """List the top-level classes of a file, in its order."""
    return tuple(_CLASS.findall(read_text(path)))


@lru_cache(maxsize=1024)
def class_in_file(path: Path, name: str) -> ClassSource | None:
    """Find a class that the file itself defines."""
    text = find_class(read_text(path), name)
    return ClassSource(name, path, text) if text else None


def class_in_files(paths: Iterable[Path], name: str) -> ClassSource | None:
    """Find a class in the first of some files that defines it."""
    if not name.isidentifier():
        return None
    # Over hundreds of files, looking for the bytes first saves decoding all but one of them.
    wanted = b"class " + name.encode()
    candidates = (path for path in paths if wanted in path.read_bytes())
    return next((found for path in candidates if (found := class_in_file(path, name))), None)


def resolve_class(path: Path, name: str) -> ClassSource | None:
    """Find the class that a name means inside a file: defined there, imported, or another name for one of these."""
    pending, seen = [(path, name)], set[tuple[Path, str]]()
    while pending:
        place = pending.pop()
        if place in seen:
            continue
        seen.add(place)
        if found := class_in_file(*place):
            return found
        pending += _origins(*place)
    return None


def _origins(path: Path, name: str) -> list[tuple[Path, str]]:
    """Say where else a name of a file may be defined."""
    for statement in find_statements(read_text(path), f"{name} = "):
        return [(path, statement.split()[2])]
    if place := imported_from(path, name):
        return [place]
    return [(place, name) for place, original in _imports(path).values() if original == "*"]


def imported_from(path: Path, name: str) -> tuple[Path, str] | None:
    """Say from which file of a package a file imports a name, and what the name is there."""
    return _imports(path).get(name)


@lru_cache(maxsize=128)
def _imports(path: Path) -> dict[str, tuple[Path, str]]:
    """Read a file's `from ... import` lines; a file imported whole stands under its path, with `*`."""
    found: dict[str, tuple[Path, str]] = {}
    for dots, module, many, few in _IMPORT.findall("\n" + read_text(path)):
        if target := _module_file(path, len(dots), module):
            for original, local in _imported_names(many or few):
                found[str(target) if local == "*" else local] = (target, original)
    return found


def _imported_names(listing: str) -> Iterator[tuple[str, str]]:
    """Split what follows `import` into pairs of the name there and the name here."""
    for item in re.sub(r"#.*", "", listing).split(","):
        if words := item.split():
            yield words[0], words[-1]


def _module_file(path: Path, level: int, module: str) -> Path | None:
    """Find the file of an imported module, None where it is outside the package."""
    parts = module.split(".") if module else []
    if level:
        base = path.parents[level - 1] if level <= len(path.parents) else None
    else:
        base, parts = (transformers_root() if parts[0] == "transformers" else None), parts[1:]
    if base is None:
        return None
    folder = base.joinpath(*parts)
    candidates = (folder.with_name(f"{folder.name}.py"), folder / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


@lru_cache(maxsize=1024)
def base_classes(source: ClassSource) -> tuple[ClassSource, ...]:
    """Give a class and its base classes inside the package, in Python's method resolution order."""
    bases = [base for name in _base_names(source) if (base := resolve_class(source.path, name))]
    return source, *_merge([*(base_classes(base) for base in bases), bases])


def _base_names(source: ClassSource) -> list[str]:
    """Read the names in a class header; dotted ones are other packages' classes."""
    header = parse_header(source.text)
    bases = header.bases if isinstance(header, ast.ClassDef) else []
    plain = (base.value if isinstance(base, ast.Subscript) else base for base in bases)
    return [base.id for base in plain if isinstance(base, ast.Name)]


def _merge(orders: Sequence[Sequence[ClassSource]]) -> Iterator[ClassSource]:
    """Merge the orders of several base classes: C3, as Python does it."""
    rest = [order for order in orders if order]
    while rest:
        heads = [order[0] for order in rest]
        later = {item for order in rest for item in order[1:]}
        # Python itself refuses a class without such a head.
        head = next((item for item in heads if item not in later), heads[0])
        yield head
        rest = [kept for order in rest if (kept := [item for item in order if item != head])]
