"""``.pt2`` files, and exported programs, as functions of named feeds.

A program takes the nested arguments of its module, and names its inputs after their places there (``past_key_values_0_0``). The
programs that dummyio exports are flat, and have the paths and the names of the outputs in an extra file.
"""

import os
import re
from collections.abc import Mapping
from typing import Any

import msgspec
import torch
from torch.export import ExportedProgram

from dummyio.backend.result_names import name_outputs
from dummyio.errors import DTypeError, DummyioError, RunError, SourceError, format_error_line
from dummyio.input_spec import InputSpec
from dummyio.running.runner import DeclaredTensor, check_feed_names
from dummyio.spec.dtypes import DType
from dummyio.typing import Array
from dummyio_torch.calling.array_conversion import to_arrays, to_tensors
from dummyio_torch.calling.call_module import end_transforms
from dummyio_torch.calling.silence import silence_exporters
from dummyio_torch.dtypes import from_native
from dummyio_torch.program_file.read_program import NAMES_FILE, read_program

_NOT_IN_NAMES = re.compile(r"\W")


class ProgramRunner:
    """An exported program, with its spec if that is known, and the content of `NAMES_FILE` if it has one."""

    def __init__(
        self, program: ExportedProgram, spec: InputSpec | None, names: Mapping[str, list[str]] | None = None
    ) -> None:
        self.engine = f"torch {torch.__version__}"
        self._program = program
        self._module = program.module()
        own = _find_inputs(program)
        self._paths = _find_paths([name for name, _ in own], spec, (names or {}).get("inputs"))
        self.inputs = tuple(_declare_tensor(path, value) for path, (_, value) in zip(self._paths, own, strict=True))
        declared = [output.name for output in spec.outputs] if spec is not None else []
        self._names = (names or {}).get("outputs") or declared
        self.outputs = _declare_outputs(program, self._names)

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run the program; see `dummyio.running.runner.Runner`."""
        check_feed_names(feeds, self._paths)
        try:
            leaves = to_tensors({path: feeds[path] for path in self._paths}, torch.device("cpu"))
            args, kwargs = self._nest_inputs(leaves)
            with torch.no_grad(), end_transforms():
                result = self._module(*args, **kwargs)
        except DTypeError:
            raise
        except Exception as error:
            raise RunError(f"{self.engine} failed: {format_error_line(error)}") from error
        return to_arrays(name_outputs(result, self._names))

    def _nest_inputs(self, leaves: Mapping[str, torch.Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return tensors nested as the program takes them, with its constants (None, numbers) between them."""
        structure: Any = self._program.call_spec.in_spec
        examples = structure.flatten_up_to(self._program.example_inputs or ((), {}))
        values = iter(leaves.values())
        nested: tuple[tuple[Any, ...], dict[str, Any]] = structure.unflatten(
            next(values) if isinstance(item, torch.Tensor) else item for item in examples
        )
        return nested


class _Names(msgspec.Struct):
    """The content of `NAMES_FILE`."""

    inputs: list[str]
    outputs: list[str]


def open_program(path: str | os.PathLike[str], spec: InputSpec | None, *, trust: bool = False) -> ProgramRunner:
    """Return a ``.pt2`` file as a runner.

    Raises
    ------
    TrustError
        if the file contains more than tensors and operators that compute, such as pickled objects, unless `trust`.
    SourceError
        if PyTorch does not open it.
    """
    file = os.fspath(path)
    try:
        with silence_exporters():  # one thread at a time: PyTorch keeps the program that it reads in a global variable
            program, extra = read_program(file, trust=trust)
            names = msgspec.json.decode(extra.get(NAMES_FILE) or "null", type=_Names | None)
            return ProgramRunner(program, spec, None if names is None else msgspec.structs.asdict(names))
    except DummyioError:
        raise
    except Exception as error:  # reading it fails with exceptions of many kinds
        raise SourceError(
            f"{file}: torch {torch.__version__} does not find an exported program there "
            f"({format_error_line(error)}). The file must be a whole file that torch.export.save wrote, with a version that is "
            "not newer; else export the model again."
        ) from error


def _find_inputs(program: ExportedProgram) -> list[tuple[str, Any]]:
    """Return the inputs that are tensors, each with its fake tensor in the graph."""
    fakes = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    names = [name for name in program.graph_signature.user_inputs if isinstance(name, str)]
    return [(name, fakes[name]) for name in names if isinstance(fakes.get(name), torch.Tensor)]


def _find_paths(own: list[str], spec: InputSpec | None, written: list[str] | None) -> list[str]:
    """Return the path of each input: that in the extra file, else the one in the spec that matches its name, else its name."""
    if written is not None and len(written) == len(own):
        return list(written)
    known = {_NOT_IN_NAMES.sub("_", path): path for path, _ in spec.leaves} if spec is not None else {}
    return [known.get(_NOT_IN_NAMES.sub("_", name), name) for name in own]


def _declare_outputs(program: ExportedProgram, names: list[str]) -> tuple[DeclaredTensor, ...] | None:
    """Return the outputs of a program; None if there is not one name for each."""
    (last,) = (node for node in program.graph.nodes if node.op == "output")
    values = [node.meta.get("val") for node in last.args[0] if node is not None]
    own = values[-len(names) :] if names else []
    if len(own) != len(names) or not names:
        return None
    return tuple(_declare_tensor(name, value) for name, value in zip(names, own, strict=True))


def _declare_tensor(name: str, value: Any) -> DeclaredTensor:
    if not isinstance(value, torch.Tensor):
        return DeclaredTensor(name)
    shape = tuple(size if isinstance(size, int) else str(size) for size in value.shape)
    return DeclaredTensor(name, shape, _find_dtype(value.dtype))


def _find_dtype(native: torch.dtype) -> DType | None:
    try:
        return from_native(native)
    except DTypeError:
        return None
