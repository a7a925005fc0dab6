"""The classes of the installed Diffusers library as source text: where they stand, their methods, their settings."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from dummyio.errors import SourceError
from dummyio.huggingface.source.class_lookup import ClassSource, base_classes, class_in_files
from dummyio.huggingface.source.forward_signatures import Parameter, parameters_of
from dummyio.huggingface.source.installed import package_root, package_version
from dummyio.huggingface.source.statements import find_method

__all__ = ["LIBRARY", "Component", "find_component"]

LIBRARY = "diffusers"
"""The package."""


@dataclass(frozen=True)
class Component:
    """One class of the library."""

    source: ClassSource

    @property
    def name(self) -> str:
        """The class's name."""
        return self.source.name

    @property
    def settings(self) -> Mapping[str, object]:
        """The defaults of `__init__`, which are the configuration's."""
        return {p.name: p.default for p in self.parameters("__init__") if p.has_default and p.default is not ...}

    def has(self, method: str) -> bool:
        """Whether the class, or one that it comes from, defines a method of that name."""
        return bool(self.text(method))

    def text(self, method: str) -> str:
        """Return the text of a method, own or inherited; nothing where there is none."""
        found = (find_method(owner.text, method) for owner in base_classes(self.source))
        return next((text for text in found if text), "")

    def body(self, method: str) -> ast.FunctionDef | None:
        """Return a method, parsed; None where there is none."""
        text = self.text(method)
        # Inside a class it may stay indented: text at the margin, such as that of a docstring, would stop a dedent.
        outer = ast.parse(f"class _:\n{text}").body[0] if text else None
        found = outer.body[0] if isinstance(outer, ast.ClassDef) else None
        return found if isinstance(found, ast.FunctionDef) else None

    def parameters(self, method: str) -> tuple[Parameter, ...]:
        """Return a method's parameters, without `self`; none where there is no such method."""
        body = self.body(method)
        return tuple(parameters_of(body.args)) if body else ()


@lru_cache(maxsize=256)
def find_component(name: str) -> Component | None:
    """Find a class of the library by its name; None where the library is not installed.

    Raises
    ------
    SourceError
        where the installed library has no such class, or it is none that is called on inputs.
    """
    root = package_root(LIBRARY)
    if root is None:
        return None
    source = class_in_files(_files(root), name)
    if source is None:
        raise SourceError(
            f"class {name}: not found in {LIBRARY} {package_version(LIBRARY)}; check the spelling of _class_name, or "
            "install the release that the model was saved with."
        )
    found = Component(source)
    if not found.has("forward"):
        raise SourceError(
            f"class {name} of {LIBRARY} is no model: it has no forward. Describe one of the models beside it."
        )
    return found


def _files(root: Path) -> Iterator[Path]:
    """Give the library's files, those of models first."""
    for folder in ("models", "pipelines", "schedulers"):
        yield from sorted((root / folder).rglob("*.py"))
