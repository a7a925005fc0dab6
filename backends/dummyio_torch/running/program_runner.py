"""``.pt2`` files, and exported programs, as functions of named feeds.

A program takes what its module took, nested, and names its inputs after the places there (``past_key_values_0_0``). What
dummyio exports is flat, and carries the paths and the outputs' names in an extra file.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.utils import _pytree

from dummyio.backend.result_names import name_outputs
from dummyio.errors import DTypeError, RunError, SourceError
from dummyio.input_spec import InputSpec
from dummyio.running.runner import DeclaredTensor, check_feed_names
from dummyio.spec.dtypes import DType
from dummyio.typing import Array
from dummyio_torch.calling.array_conversion import to_arrays, to_tensors
from dummyio_torch.calling.silence import silence_exporters
from dummyio_torch.dtypes import from_native

__all__ = ["NAMES_FILE", "ProgramRunner", "open_program"]

NAMES_FILE = "dummyio_names.json"
"""The extra file in what dummyio exports: ``{"inputs": [...], "outputs": [...]}``."""

_PLAIN = re.compile(r"\W")


class ProgramRunner:
    """An exported program."""

    def __init__(
        self, program: ExportedProgram, spec: InputSpec | None, names: Mapping[str, list[str]] | None = None
    ) -> None:
        """Find which input of the program each path is."""
        self.engine = f"torch {torch.__version__}"
        self._program = program
        self._module = program.module()
        own = _user_inputs(program)
        self._paths = _paths([name for name, _ in own], spec, (names or {}).get("inputs"))
        self.inputs = tuple(_port(path, value) for path, (_, value) in zip(self._paths, own, strict=True))
        declared = [output.name for output in spec.outputs] if spec is not None else []
        self._names = (names or {}).get("outputs") or declared
        self.outputs = _outputs(program, self._names)

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run the program; see `dummyio.runner.Runner`."""
        check_feed_names(feeds, self._paths)
        try:
            args, kwargs = self._arguments(to_tensors({path: feeds[path] for path in self._paths}, torch.device("cpu")))
            with torch.no_grad():
                result = self._module(*args, **kwargs)
        except DTypeError:
            raise
        except Exception as error:
            raise RunError(f"{self.engine} failed: {type(error).__name__}: {error}") from error
        return to_arrays(name_outputs(result, self._names))

    def _arguments(self, leaves: Mapping[str, torch.Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return tensors as the program nests them; its constants (None, numbers) stand between them."""
        args, kwargs = self._program.example_inputs or ((), {})
        held, structure = _pytree.tree_flatten((args, kwargs))
        values = iter(leaves.values())
        flat = [next(values) if isinstance(item, torch.Tensor) else item for item in held]
        own: tuple[tuple[Any, ...], dict[str, Any]] = _pytree.tree_unflatten(flat, structure)
        return own


def open_program(path: str | os.PathLike[str], spec: InputSpec | None) -> ProgramRunner:
    """Return a ``.pt2`` file as a runner; raise `SourceError` for what PyTorch does not open."""
    extra = {NAMES_FILE: ""}
    try:
        with silence_exporters():  # a try at an older form of file, of which only a warning says that it failed
            program = torch.export.load(os.fspath(path), extra_files=extra)
    except Exception as error:  # it unpacks, parses and builds, and fails in as many ways
        text = " ".join(str(error).split()) or type(error).__name__
        raise SourceError(
            f"{os.fspath(path)}: torch {torch.__version__} opens no exported program there: {text} It must be a whole file "
            "that torch.export.save wrote, with a version that is not newer; else export the model again."
        ) from error
    return ProgramRunner(program, spec, json.loads(extra[NAMES_FILE]) if extra[NAMES_FILE] else None)


def _user_inputs(program: ExportedProgram) -> list[tuple[str, Any]]:
    """Return the inputs that are tensors, each with the fake tensor that stands for it."""
    fakes = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    names = [name for name in program.graph_signature.user_inputs if isinstance(name, str)]
    return [(name, fakes[name]) for name in names if isinstance(fakes.get(name), torch.Tensor)]


def _paths(own: list[str], spec: InputSpec | None, written: list[str] | None) -> list[str]:
    """Return the path of each input: as written in the file, else by its name, else the name itself."""
    if written is not None and len(written) == len(own):
        return list(written)
    known = {_PLAIN.sub("_", path): path for path, _ in spec.leaves} if spec is not None else {}
    return [known.get(_PLAIN.sub("_", name), name) for name in own]


def _outputs(program: ExportedProgram, names: list[str]) -> tuple[DeclaredTensor, ...] | None:
    """Return what the program returns, where its outputs are as many as their names."""
    (last,) = (node for node in program.graph.nodes if node.op == "output")
    values = [node.meta.get("val") for node in last.args[0] if node is not None]
    own = values[-len(names) :] if names else []
    if len(own) != len(names) or not names:
        return None
    return tuple(_port(name, value) for name, value in zip(names, own, strict=True))


def _port(name: str, value: Any) -> DeclaredTensor:
    if not isinstance(value, torch.Tensor):
        return DeclaredTensor(name)
    shape = tuple(size if isinstance(size, int) else str(size) for size in value.shape)
    return DeclaredTensor(name, shape, _dtype(value.dtype))


def _dtype(native: torch.dtype) -> DType | None:
    try:
        return from_native(native)
    except DTypeError:
        return None
