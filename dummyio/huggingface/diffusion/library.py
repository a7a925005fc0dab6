"""The classes of the installed Diffusers library as source text."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from dummyio.errors import SourceError
from dummyio.huggingface.source.class_lookup import class_in_files
from dummyio.huggingface.source.forward_signatures import ClassMethods
from dummyio.huggingface.source.installed import package_root, package_version

LIBRARY = "diffusers"
"""The package."""


@lru_cache(maxsize=256)
def find_component(name: str) -> ClassMethods | None:
    """Find a class of the library; None without the library. Raises `SourceError` if it has no such class, or one without ``forward``."""
    root = package_root(LIBRARY)
    if root is None:
        return None
    source = class_in_files(_files(root), name)
    if source is None:
        raise SourceError(
            f"class {name}: not found in {LIBRARY} {package_version(LIBRARY)}; check the spelling of _class_name, or "
            "install the release that the model was saved with."
        )
    found = ClassMethods(source)
    if not found.has("forward"):
        raise SourceError(
            f"class {name} of {LIBRARY} is not a model: it has no forward. Describe one of the models beside it."
        )
    return found


def _files(root: Path) -> Iterator[Path]:
    """Yield the library's files, those of models first."""
    for folder in ("models", "pipelines", "schedulers"):
        yield from sorted((root / folder).rglob("*.py"))
