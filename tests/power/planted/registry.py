"""A defect: an export in which one thing is wrong, as it goes wrong in real exporters and in the hands that use them.

Each is made of a real export: its graph is edited, or the module is changed before it is exported, as an exporter that gets
an operation wrong would leave it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import onnx
from torch import nn

import dummyio
from dummyio.exporting.artifact import spec_path
from planted.bases import base

DEFECTS: dict[str, Defect] = {}


@dataclass(frozen=True)
class Defect:
    """One way to be wrong."""

    name: str
    about: str
    base: str
    finds: str
    """The kind and the place of the finding that names it, or the type of an error."""
    edit: Callable[[onnx.ModelProto], None] | None = None
    rewrite: Callable[[Any], nn.Module | None] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the base is exported with."""
    asked: Mapping[str, Any] = field(default_factory=dict)
    """What it is validated with."""

    def write(self, path: Path) -> None:
        """Write the defective artifact."""
        if self.rewrite is None:
            model = onnx.load_from_string(exported(self.base, **self.options).read_bytes())
        else:
            module = copy.deepcopy(base(self.base).module)
            changed = self.rewrite(module) or module
            # The check at the end of an export finds some defects already; here the validation has to.
            with mock.patch("dummyio_torch.exporting.write_onnx.check_traced_artifact", return_value=()):
                dummyio.export(
                    changed, path, spec=base(self.base).spec, exporter="torchscript", force=True, **self.options
                )
            model = onnx.load(path)
        if self.edit is not None:
            self.edit(model)
        onnx.save(model, path)
        spec_path(path).unlink(missing_ok=True)


def edited(
    name: str, about: str, finds: str, *, strict: bool = False, **options: Any
) -> Callable[[Callable[[onnx.ModelProto], None]], Any]:
    """Register a function that edits the graph of the base `name`, exported with these options."""
    asked = {"strict": True} if strict else {}

    def register(function: Callable[[onnx.ModelProto], None]) -> Any:
        return _add(Defect(_title(function), about, name, finds, edit=function, options=options, asked=asked))

    return register


def rewritten(name: str, about: str, finds: str, **asked: Any) -> Callable[[Callable[[Any], nn.Module | None]], Any]:
    """Register a function that changes a copy of the module of the base `name`, which is exported and validated with what is `asked`."""

    def register(function: Callable[[Any], nn.Module | None]) -> Any:
        return _add(Defect(_title(function), about, name, finds, rewrite=function, asked=asked))

    return register


def rewritten_as(title: str, name: str, about: str, finds: str, rewrite: Callable[[Any], None], **asked: Any) -> None:
    """Register a change of a copy of the module of the base `name`: for defects that are rows of a table."""
    _add(Defect(title, about, name, finds, rewrite=rewrite, asked=asked))


def _title(function: Any) -> str:
    return function.__name__.replace("_", " ")


def _add(defect: Defect) -> Defect:
    assert defect.name not in DEFECTS, defect.name
    DEFECTS[defect.name] = defect
    return defect


_FOLDER = TemporaryDirectory(prefix="power-")


@cache
def exported(name: str, suffix: str = ".onnx", exporter: str = "torchscript", fixed: tuple[str, ...] = ()) -> Path:
    """Return a sound export of a base; made once."""
    path = Path(_FOLDER.name) / "-".join([name, exporter, *fixed, "model"]) / f"model{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {} if suffix != ".onnx" else {"exporter": exporter}
    found = base(name)
    dummyio.export(found.module, path, spec=found.spec, force=True, **options, **({"static": fixed} if fixed else {}))
    return path
