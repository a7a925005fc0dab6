"""Optimum's classes by their names, with dummyio's inputs, and `install`, by which Optimum's exporter takes these inputs.

``from dummyio.compat.optimum import DummyTextInputGenerator`` stands for the import from ``optimum.utils``. One class may have several of
Optimum's names, where the configuration makes the difference.
"""

from typing import Any

from dummyio.compat.optimum.dtype_mapper import DTYPE_MAPPER
from dummyio.compat.optimum.exporter_inputs import install, installed, uninstall
from dummyio.compat.optimum.named_classes import CLASSES
from dummyio.spec.default_sizes import DEFAULT_DUMMY_SHAPES

__all__ = ["DEFAULT_DUMMY_SHAPES", "DTYPE_MAPPER", "install", "installed", "uninstall"]


def __getattr__(name: str) -> Any:
    if name not in CLASSES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return CLASSES[name]


def __dir__() -> list[str]:
    return sorted({*__all__, *CLASSES})
