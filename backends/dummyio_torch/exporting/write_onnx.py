"""Write an ONNX file with either exporter of PyTorch: trace, run the graph passes in memory, save once, check."""

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx_ir as ir
import torch
from torch import nn
from torch.jit import TracerWarning  # type: ignore[attr-defined] # public, but not in its __all__

from dummyio.errors import ExportError, OptionError
from dummyio.exporting.artifact_check import COARSE_TOLERANCE, TOLERANCE
from dummyio.exporting.onnx_precision import OnnxPrecision, convert_precision
from dummyio.exporting.stages import report_stage
from dummyio.input_spec import InputSpec
from dummyio.process_state import record_warnings, replace_functions
from dummyio.spec.dims import is_static
from dummyio.spec.dtypes import DType
from dummyio_torch.calling.call_module import ModuleCall, evaluation_mode
from dummyio_torch.calling.meta_copy import MetaCopy
from dummyio_torch.calling.silence import hide_export, silence_exporters, use_plain_layers
from dummyio_torch.exporting.save_graph import save_graph
from dummyio_torch.exporting.tracing.decision_sizes import check_traced_artifact, choose_check_sizes
from dummyio_torch.exporting.tracing.trace_inputs import (
    FlatModule,
    find_output_names,
    make_other_inputs,
    make_trace_inputs,
    trace_flat,
    trace_program,
)
from dummyio_torch.exporting.weight_kinds import is_scripted
from dummyio_torch.onnx_passes.registry import (
    PASSES,
    GraphPass,
    make_translation_table,
    patch_libraries,
    run_graph_passes,
)
from dummyio_torch.running.module_runner import ModuleRunner
from dummyio_torch.symbolic import trace_symbolic_sizes
from dummyio_torch.symbolic.constant_watch import SpecializationLog, depends_on_values, iterate_causes

_OLDEST_OPSET = 18
"""The oldest opset of the dynamo exporter; if an older one is requested, it writes this one without an error."""
_UNTRANSLATED = re.compile(
    r"No ONNX function found for <(?P<operator>[^>]*)>.*?(?P<complex>complex-valued)?( input)?$", re.MULTILINE
)
_OVERLOAD = re.compile(r"OpOverload\(op='(?P<name>[\w.]+)', overload='(?P<overload>\w+)'\)")
_SCRIPTED = (
    "exported with exporter='torchscript': a part of the model is TorchScript, which the default one does not trace"
)
_BFLOAT16_OPSET = 22
"""The first opset in which convolutions and pooling take bfloat16."""


@dataclass(frozen=True, slots=True)
class OnnxOptions:
    """The options of `dummyio_torch.exporting.export_onnx.export_onnx` under the same names."""

    opset: int | None = None
    exporter: str = "dynamo"
    external_data: bool | None = None
    optimize: bool = True
    weights: bool = True
    rewrite: bool = True
    precision: OnnxPrecision = field(default_factory=OnnxPrecision)


def write_onnx(
    model: nn.Module, spec: InputSpec, path: Path, options: OnnxOptions, passes: Sequence[GraphPass] = PASSES
) -> tuple[str, ...]:
    """Write a module as an ONNX file that declares the inputs, outputs and dims of the spec; return notes for the user.

    `passes` are the corrections of the exporter; tests leave one out.

    Raises
    ------
    ExportError
        if the module does not run, the exporter fails, or the file is not as requested.
    OptionError
        if the exporter does not support an option.
    """
    if not options.weights:
        if options.exporter != "dynamo":
            raise OptionError("weights=False: the torchscript exporter needs the weights; leave out exporter=.")
        model = MetaCopy(model, "meta").module
    scripted = options.exporter == "dynamo" and is_scripted(model)
    if scripted:
        options = replace(options, exporter="torchscript")
    call = ModuleCall(model, spec)
    inputs = make_trace_inputs(spec, model)
    for name, tensor in inputs.items():
        _refuse_complex(name, tensor.dtype)
    tensors = tuple(inputs.values())
    with evaluation_mode(model), silence_exporters(), hide_export(), use_plain_layers():
        # A module without memory does not run if it depends on values, so the spec gives the output names, if it has any.
        declared = call.declared if not options.weights else ()
        outputs, named = (
            (declared, ())
            if declared
            else find_output_names(call, make_other_inputs(spec, model), check_dtype=_refuse_complex)
        )
        flat = FlatModule(call, outputs)
        with TemporaryDirectory(dir=path.parent, ignore_cleanup_errors=True) as scratch:
            with report_stage("trace", path.name):
                if options.exporter == "dynamo":
                    graph, log = _trace_dynamo(flat, tensors, spec, options, passes)
                    notes: tuple[str, ...] = ()
                else:
                    log = SpecializationLog(())
                    graph, notes = _trace_torchscript(flat, tensors, spec, options, Path(scratch) / path.name)
                _check_opset(graph, options)
            with report_stage("passes", path.name):
                notes += (*named, *run_graph_passes(passes, graph, spec, outputs))
            with report_stage("write", path.name):
                save_graph(graph, path, external_data=options.external_data, weights=options.weights)
                notes += convert_precision(path, spec, options.precision)
    if not options.weights:
        return (
            *log.list_notes(),
            *notes,
            "without weights: the file has their names, shapes and places, and cannot be run",
        )
    # In deep networks of random weights, the error of 8 bits is as large as the values themselves.
    tolerance = None if options.precision.quantize else COARSE_TOLERANCE if options.precision.dtype else TOLERANCE
    reference = ModuleRunner(model, spec)
    sizes = choose_check_sizes(spec, log, inputs)
    checked = check_traced_artifact(path, spec, outputs, sizes, reference=reference, tolerance=tolerance)
    return (*notes, *((_SCRIPTED,) if scripted else ()), *checked)


def _trace_dynamo(
    flat: FlatModule,
    tensors: tuple[torch.Tensor, ...],
    spec: InputSpec,
    options: OnnxOptions,
    passes: Sequence[GraphPass],
) -> tuple[ir.Model, SpecializationLog]:
    axes = spec.dynamic_axes()
    opset = options.opset or (_BFLOAT16_OPSET if _has_bfloat16(flat, spec) else None)

    def trace() -> Any:
        with patch_libraries(passes), _explain_untranslated():
            return torch.onnx.export(
                _trace_program(flat, tensors, spec),
                input_names=list(axes),
                output_names=list(flat.outputs),
                opset_version=opset,
                dynamic_shapes=(tuple(axes.values()),),
                optimize=options.optimize and options.weights,
                custom_translation_table=make_translation_table(passes, opset),
                verbose=False,
            )

    program, log = trace_flat(flat, lambda: trace_symbolic_sizes(flat.model, trace, rewrite=options.rewrite))
    return program.model, log


def _trace_program(
    flat: FlatModule, tensors: tuple[torch.Tensor, ...], spec: InputSpec
) -> torch.export.ExportedProgram:
    """Trace a module; by its bytecode if it makes a size of a value, ``int(lengths.max())``, which only that can."""
    try:
        return trace_program(flat, tensors, spec)
    except Exception as error:
        if not depends_on_values(error):
            raise
        try:
            return trace_program(flat, tensors, spec, strict=True)
        except Exception:  # noqa: BLE001 - the first reason counts
            raise error from None


@contextmanager
def _explain_untranslated() -> Generator[None]:
    """Raise `ExportError` for an operator that the exporter cannot translate."""
    try:
        yield
    except torch.onnx.OnnxExporterError as error:
        found = next((match for cause in iterate_causes(error) if (match := _UNTRANSLATED.search(str(cause)))), None)
        if found is None:
            raise
        overload = _OVERLOAD.fullmatch(found["operator"])
        name = ".".join(overload.groups()).removesuffix(".default") if overload else found["operator"].partition(" ")[0]
        numbers = " for complex numbers" if found["complex"] else ""
        raise ExportError(
            f"PyTorch's exporter to ONNX has no translation of {name}{numbers}. Compute it by other operators, or write a .pt2 file, which "
            "may have all operators; 'dummyio doctor' names the lines of each that is missing."
        ) from error


def _refuse_complex(name: str, dtype: torch.dtype) -> None:
    """Raise `ExportError` for complex numbers, which exporters write as pairs of floats, in another shape."""
    if dtype.is_complex:
        kind = str(dtype).removeprefix("torch.")
        raise ExportError(
            f"{name!r} is {kind}: ONNX Runtime has no complex numbers. Take and return their parts, torch.view_as_real(x) "
            "and torch.view_as_complex(x), as floats; inside the model they may be complex."
        )


def _has_bfloat16(flat: FlatModule, spec: InputSpec) -> bool:
    weights = any(tensor.dtype is torch.bfloat16 for tensor in (*flat.parameters(), *flat.buffers()))
    return weights or any(leaf.dtype is DType.BFLOAT16 for _, leaf in spec.leaves)


def _trace_torchscript(
    flat: FlatModule, tensors: tuple[torch.Tensor, ...], spec: InputSpec, options: OnnxOptions, scratch: Path
) -> tuple[ir.Model, tuple[str, ...]]:
    shapes = {output.name: output.shape or () for output in spec.outputs}
    axes = spec.dynamic_axes() | {
        name: {axis: str(size) for axis, size in enumerate(shapes.get(name, ())) if not is_static(size)}
        for name in flat.outputs
    }
    # A failing export writes its graph to stdout from C++, which no stream of Python catches.
    quiet = replace_functions(torch._C, _jit_onnx_log=lambda *_: None)  # noqa: SLF001 - no public way to turn it off
    with record_warnings(TracerWarning) as traced, quiet:
        # The exporter's own trace does not enter parts in TorchScript.
        traceable: Any = torch.jit.trace(flat, tensors, check_trace=False) if is_scripted(flat) else flat
        torch.onnx.export(
            traceable,
            tensors,
            str(scratch),  # with a Path, it refuses weights of more than 2 GB
            input_names=list(spec.dynamic_axes()),
            output_names=list(flat.outputs),
            dynamic_axes=axes,
            opset_version=options.opset,
            do_constant_folding=options.optimize,
            dynamo=False,
        )
    graph = ir.load(scratch)  # large weights are in files next to it, and stay there until they are saved
    if not traced:
        return graph, ()
    line = f"{Path(traced[0].filename).name}, line {traced[0].lineno}"
    return graph, (f"the trace took {len(traced)} values for constants, which may be wrong at other sizes ({line})",)


def _check_opset(graph: ir.Model, options: OnnxOptions) -> None:
    opset = graph.opset_imports.get("")
    if options.opset is not None and opset != options.opset:
        raise ExportError(
            f"opset={options.opset}: the exporter wrote opset {opset} instead. It writes {_OLDEST_OPSET} and newer; for an older "
            "one, use exporter='torchscript'."
        )
