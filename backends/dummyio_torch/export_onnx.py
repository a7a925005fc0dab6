"""``torch.onnx.export`` to an ``.onnx`` file, by either of its exporters."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import onnx
import torch
from torch import nn
from torch.jit._trace import TracerWarning

from dummyio.dims import fixed as is_fixed
from dummyio.errors import ExportError, NotInstalledError, OptionError, SourceError
from dummyio.exporting import Written
from dummyio.spec import InputSpec
from dummyio_torch.calling import Calling, evaluating
from dummyio_torch.onnx_masks import mask_with_infinity
from dummyio_torch.onnx_mending import mend
from dummyio_torch.onnx_scopes import unwrap
from dummyio_torch.quiet import quiet
from dummyio_torch.switches import Switches, first_that_works
from dummyio_torch.tracing import FlatModule, fix_dims, output_names, trace_inputs
from dummyio_torch.weightless import save_structure, without_weights

__all__ = ["export_onnx"]

_OLDEST = 18
"""What the exporter of today writes at least; asked for less, it writes this, without a word."""


@dataclass(frozen=True, slots=True)
class _Options:
    opset: int | None
    exporter: str
    external_data: bool | None
    optimize: bool
    weights: bool


def export_onnx(  # noqa: PLR0913 - each is an option of its own
    model: nn.Module,
    spec: InputSpec,
    path: Path,
    *,
    opset: int | None = None,
    exporter: Literal["dynamo", "torchscript"] = "dynamo",
    external_data: bool | None = None,
    weights: bool = True,
    optimize: bool = True,
    fixed: Sequence[str] = (),
    attention: str | None = None,
    experts: str | None = None,
) -> Written:
    """Write a module as an ONNX file whose inputs, outputs and symbols are those of the spec.

    Parameters
    ----------
    model, spec, path
        As in `dummyio.exporting`.
    opset
        The version of the operators; PyTorch's default where not given.
    exporter
        ``"dynamo"``, or ``"torchscript"`` for the one before it.
    external_data
        Whether weights lie in a file beside; where not given, only if they are too large for one file.
    weights
        Without them, what is written is the structure: each weight with its shape, in a file that is not there.
    optimize
        Fold constants and simplify, where the exporter does.
    fixed
        Dims that have one size in the file: their default.
    attention, experts
        Implementations to trace with, for models of Transformers': ``"eager"``, ``"sdpa"``; ``"batched_mm"``. Where not
        given: the model's own, and others where exporting that fails.
    """
    if exporter not in ("dynamo", "torchscript"):
        raise OptionError(f"exporter={exporter!r} is none: use 'dynamo' or 'torchscript'.")
    spec = fix_dims(spec, fixed)
    options = _Options(opset, exporter, external_data, optimize, weights)
    notes: list[str] = []

    def attempt() -> None:
        notes[:] = _write(model, spec, path, options)

    other = first_that_works(model, attempt, Switches(attention, experts))
    return Written(spec, (*([other] if other else []), *notes))


def _write(model: nn.Module, spec: InputSpec, path: Path, options: _Options) -> tuple[str, ...]:
    if not options.weights:
        if options.exporter != "dynamo":
            raise OptionError("weights=False: the torchscript exporter needs them; leave out exporter=.")
        model = without_weights(model)
    calling = Calling(model, spec)
    leaves = trace_inputs(spec, model)
    with evaluating(model), quiet():
        names = output_names(calling, leaves)
        write = _write_dynamo if options.exporter == "dynamo" else _write_torchscript
        notes = write(FlatModule(calling, names), tuple(leaves.values()), spec, names, path, options)
    return (*notes, *_finished(path, spec, names, options))


def _write_dynamo(
    flat: FlatModule,
    tensors: tuple[torch.Tensor, ...],
    spec: InputSpec,
    names: Sequence[str],
    path: Path,
    options: _Options,
) -> tuple[str, ...]:
    axes = spec.dynamic_axes()
    program: Any = torch.onnx.export(
        flat,
        tensors,
        input_names=list(axes),
        output_names=list(names),
        opset_version=options.opset,
        dynamic_shapes=(tuple(axes.values()),),
        optimize=options.optimize and options.weights,
        verbose=False,
    )
    if not options.weights:
        save_structure(program, path)
        return ("without weights: the file has their names, shapes and places, and nothing that could be run",)
    program.save(path, external_data=options.external_data)
    return ()


def _write_torchscript(
    flat: FlatModule,
    tensors: tuple[torch.Tensor, ...],
    spec: InputSpec,
    names: Sequence[str],
    path: Path,
    options: _Options,
) -> tuple[str, ...]:
    shapes = {output.name: output.shape or () for output in spec.outputs}
    axes = spec.dynamic_axes() | {
        name: {a: str(size) for a, size in enumerate(shapes.get(name, ())) if not is_fixed(size)} for name in names
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TracerWarning)
        torch.onnx.export(
            flat,
            tensors,
            path,
            input_names=list(spec.dynamic_axes()),
            output_names=list(names),
            dynamic_axes=axes,
            opset_version=options.opset,
            do_constant_folding=options.optimize,
            dynamo=False,
        )
    if options.external_data:
        onnx.save(onnx.load(path), path, save_as_external_data=True, location=f"{path.name}.data", size_threshold=1024)
    traced = [warning for warning in caught if issubclass(warning.category, TracerWarning)]
    if not traced:
        return ()
    return (
        f"the trace took {len(traced)} values for constants, which may be wrong at other sizes ({_line(traced[0])})",
    )


def _finished(path: Path, spec: InputSpec, names: Sequence[str], options: _Options) -> tuple[str, ...]:
    """Mend what was written, and check that it is what was asked for and opens."""
    model = onnx.load(path, load_external_data=False)
    opset = next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), 0)
    if options.opset is not None and opset != options.opset:
        raise ExportError(
            f"opset={options.opset}: the exporter wrote opset {opset} instead. It writes {_OLDEST} and newer; for an older one, "
            "use exporter='torchscript'."
        )
    notes = mend(model, spec, names)
    unwrap(model)
    mask_with_infinity(model.graph)
    path.write_bytes(model.SerializeToString())
    outside = any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer)
    if outside and options.weights and options.external_data is False:
        raise ExportError("external_data=False: the weights are too large for one file (2 GB). Leave the option out.")
    return (*notes, *(_opened(path, spec, names) if options.weights else ()))


def _opened(path: Path, spec: InputSpec, names: Sequence[str]) -> tuple[str, ...]:
    from dummyio.runner import open_runner  # noqa: PLC0415 - the other backend's framework may be missing

    try:
        run = open_runner(path, spec)
    except NotInstalledError:
        return ("not opened to check it: ONNX Runtime is not installed",)
    except SourceError as error:
        raise ExportError(f"what the exporter wrote does not open: {error}") from error
    declared = [port.name for port in run.inputs or ()], [port.name for port in run.outputs or ()]
    if declared != ([path for path, _ in spec.leaves], list(names)):
        raise ExportError(f"what the exporter wrote declares {declared}, which is not what the spec has.")
    return ()


def _line(warning: warnings.WarningMessage) -> str:
    return f"{Path(warning.filename).name}, line {warning.lineno}"
