"""Write an ONNX file by either of PyTorch's exporters, mend it, and check that it is what was asked for."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn
from torch.jit._trace import TracerWarning

from dummyio.errors import ExportError, NotInstalledError, OptionError, SourceError
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import is_static as is_fixed
from dummyio_torch.calling.call_module import ModuleCall, evaluation_mode
from dummyio_torch.calling.silence import silence_exporters
from dummyio_torch.exporting.onnx_options import OnnxOptions
from dummyio_torch.exporting.trace_inputs import FlatModule, other_inputs, output_names, trace_inputs
from dummyio_torch.exporting.weightless import save_structure, without_weights
from dummyio_torch.onnx_passes.declare_spec import declare_spec
from dummyio_torch.onnx_passes.exact_constants import match_constants_exactly
from dummyio_torch.onnx_passes.explicit_pad_axes import add_pad_axes
from dummyio_torch.onnx_passes.infinite_masks import use_infinite_mask_fill
from dummyio_torch.onnx_passes.translations import translations
from dummyio_torch.onnx_passes.unwrap_names import remove_wrapper_names
from dummyio_torch.symbolic import symbolic_sizes

__all__ = ["write"]

_OLDEST = 18
"""What the exporter of today writes at least; asked for less, it writes this, without a word."""


def write(model: nn.Module, spec: InputSpec, path: Path, options: OnnxOptions) -> tuple[str, ...]:
    """Write `model` at `path`; return notes for the user; raise `ExportError` for anything that is not as it should be."""
    if not options.weights:
        if options.exporter != "dynamo":
            raise OptionError("weights=False: the torchscript exporter needs them; leave out exporter=.")
        model = without_weights(model)
    calling = ModuleCall(model, spec)
    leaves = trace_inputs(spec, model)
    with evaluation_mode(model), silence_exporters():
        # Without memory no module runs that looks at a value, so what it returns is what the spec says, where that says it.
        declared = calling.declared if not options.weights else ()
        names = declared or output_names(calling, other_inputs(spec, model))
        _check_names(calling.paths, names)
        export = _write_dynamo if options.exporter == "dynamo" else _write_torchscript
        notes = export(FlatModule(calling, names), tuple(leaves.values()), spec, names, path, options)
    return (*notes, *_finished(path, spec, names, options))


def _check_names(paths: Sequence[str], outputs: Sequence[str]) -> None:
    both = [name for name in outputs if name in paths]
    if both:
        raise ExportError(
            f"{', '.join(both)} is the name of an input and of an output: in an ONNX graph no two values have one name. Return "
            "it under another name, or let the spec declare outputs without it."
        )


def _write_dynamo(
    flat: FlatModule,
    tensors: tuple[torch.Tensor, ...],
    spec: InputSpec,
    names: Sequence[str],
    path: Path,
    options: OnnxOptions,
) -> tuple[str, ...]:
    axes = spec.dynamic_axes()
    with match_constants_exactly(), symbolic_sizes(flat.model) as watch:
        try:
            program: Any = torch.onnx.export(
                flat,
                tensors,
                input_names=list(axes),
                output_names=list(names),
                opset_version=options.opset,
                dynamic_shapes=(tuple(axes.values()),),
                optimize=options.optimize and options.weights,
                custom_translation_table=translations(options.opset),
                verbose=False,
            )
        except Exception as error:
            reason = watch.reason(error)
            if reason is None:
                raise
            raise ExportError(reason) from error
    notes = (f"taken for granted of sizes, so validate it at others: {watch.granted()}",) if watch.fixed else ()
    if not options.weights:
        save_structure(program, path)
        return (*notes, "without weights: the file has their names, shapes and places, and nothing that could be run")
    program.save(path, external_data=options.external_data)
    return notes


def _write_torchscript(
    flat: FlatModule,
    tensors: tuple[torch.Tensor, ...],
    spec: InputSpec,
    names: Sequence[str],
    path: Path,
    options: OnnxOptions,
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


def _finished(path: Path, spec: InputSpec, names: Sequence[str], options: OnnxOptions) -> tuple[str, ...]:
    """Mend what was written, and check that it is what was asked for and opens."""
    model = onnx.load(path, load_external_data=False)
    opset = next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), 0)
    if options.opset is not None and opset != options.opset:
        raise ExportError(
            f"opset={options.opset}: the exporter wrote opset {opset} instead. It writes {_OLDEST} and newer; for an older one, "
            "use exporter='torchscript'."
        )
    notes = declare_spec(model, spec, names)
    remove_wrapper_names(model)
    use_infinite_mask_fill(model.graph)
    add_pad_axes(model.graph, opset)
    path.write_bytes(model.SerializeToString())
    outside = any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer)
    if outside and options.weights and options.external_data is False:
        raise ExportError("external_data=False: the weights are too large for one file (2 GB). Leave the option out.")
    return (*notes, *(_opened(path, spec, names) if options.weights else ()))


def _opened(path: Path, spec: InputSpec, names: Sequence[str]) -> tuple[str, ...]:
    from dummyio.running.runner import open_runner  # noqa: PLC0415 - the other backend's framework may be missing

    try:
        run = open_runner(path, spec)
    except NotInstalledError:
        return ("not opened to check it: ONNX Runtime is not installed",)
    except SourceError as error:
        if "NOT_IMPLEMENTED" in str(error):  # valid, and for another device: bfloat16 on the CPU
            return (f"ONNX Runtime has no kernel on the CPU for a part of it, so it was not opened: {error}",)
        raise ExportError(f"what the exporter wrote does not open: {error}") from error
    declared = [port.name for port in run.inputs or ()], [port.name for port in run.outputs or ()]
    if declared != ([path for path, _ in spec.leaves], list(names)):
        raise ExportError(f"what the exporter wrote declares {declared}, which is not what the spec has.")
    return ()


def _line(warning: warnings.WarningMessage) -> str:
    return f"{Path(warning.filename).name}, line {warning.lineno}"
