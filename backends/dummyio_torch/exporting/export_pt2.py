"""``torch.export`` to a ``.pt2`` file."""

import json
from functools import partial
from pathlib import Path

import torch
from torch import nn

from dummyio.errors import ExportError, TrustError
from dummyio.exporting.artifact import ExportResult
from dummyio.exporting.stages import report_stage
from dummyio.exporting.static_dims import fix_dims
from dummyio.input_spec import InputSpec
from dummyio.process_state import hold_process_state
from dummyio.typing import StaticDims
from dummyio_torch.calling.call_module import ModuleCall, evaluation_mode
from dummyio_torch.calling.meta_copy import check_packed_weights
from dummyio_torch.calling.private_copy import copy_to_trace
from dummyio_torch.calling.silence import hide_export, silence_exporters, use_plain_layers
from dummyio_torch.description.describe_module import unwrap_module
from dummyio_torch.exporting.implementation_fallback import Implementations, has_alternatives, try_implementations
from dummyio_torch.exporting.tracing.decision_sizes import check_traced_artifact, choose_check_sizes
from dummyio_torch.exporting.tracing.trace_guards import relax_guards
from dummyio_torch.exporting.tracing.trace_inputs import (
    FlatModule,
    find_output_names,
    make_other_inputs,
    make_trace_inputs,
    separate_outputs,
    trace_flat,
    trace_program,
)
from dummyio_torch.exporting.weight_kinds import check_scripted, check_weights
from dummyio_torch.onnx_passes.recurrent_shapes import infer_recurrent_shapes
from dummyio_torch.program_file.read_program import NAMES_FILE
from dummyio_torch.program_file.write_program import write_program
from dummyio_torch.running.module_runner import ModuleRunner
from dummyio_torch.running.program_runner import ProgramRunner, open_program
from dummyio_torch.symbolic import trace_symbolic_sizes

_FOREIGN = "the program has operators that are not PyTorch's"
_UNTRUSTED = f"{_FOREIGN}: the file opens with trust=True alone, where they are registered"


class _ForeignOperatorsError(ExportError):
    """A program has operators that PyTorch does not have without a library."""


def export_pt2(  # noqa: PLR0913 - each is an option of its own
    model: nn.Module,
    spec: InputSpec,
    path: Path,
    *,
    static: StaticDims = None,
    attention: str | None = None,
    experts: str | None = None,
    strict: bool = False,
    rewrite: bool = True,
) -> ExportResult:
    """Write a module as an exported program of flat inputs, together with their paths and the names of its outputs.

    Parameters
    ----------
    model, spec, path
        As in `dummyio.exporting.export`.
    strict
        Trace the bytecode instead of running the module on fake tensors.
    static, attention, experts, rewrite
        As in `dummyio_torch.exporting.export_onnx.export_onnx`.

    Raises
    ------
    ExportError
        if the module cannot be exported, or the file is not what the spec declares.
    """
    spec, notes = fix_dims(separate_outputs(spec), static)

    model = unwrap_module(model)
    check_packed_weights(model)
    check_weights(model, remedy="")
    check_scripted(model)

    with hold_process_state():
        copied, reasons = copy_to_trace(model)

        def attempt(*, own_operators: bool = False) -> tuple[str, ...]:
            return _write_pt2(copied, spec, path, strict=strict, rewrite=rewrite, own_operators=own_operators)

        chosen = Implementations(attention, experts)
        try:
            # Another implementation may have PyTorch's operators alone: its file opens without trust.
            first = partial(attempt, own_operators=has_alternatives(copied, chosen))
            tried = try_implementations(copied, first, chosen)
        except _ForeignOperatorsError:
            tried = try_implementations(copied, attempt, chosen)
    return ExportResult(spec, (*notes, *reasons, *tried))


def _write_pt2(
    model: nn.Module, spec: InputSpec, path: Path, *, strict: bool, rewrite: bool, own_operators: bool
) -> tuple[str, ...]:
    call = ModuleCall(model, spec)
    reference = ModuleRunner(model, spec)
    inputs = make_trace_inputs(spec, model)
    tensors = tuple(inputs.values())
    with evaluation_mode(model), silence_exporters(), hide_export(), use_plain_layers():
        outputs, notes = find_output_names(call, make_other_inputs(spec, model))
        flat = FlatModule(call, outputs)

        def trace() -> torch.export.ExportedProgram:
            with infer_recurrent_shapes():
                return trace_program(flat, tensors, spec, strict=strict)

        with report_stage("trace", path.name):
            program, log = trace_flat(flat, lambda: trace_symbolic_sizes(model, trace, rewrite=rewrite))
        sizes = choose_check_sizes(spec, log, inputs, relax_guards(program, spec, reference))
        names = {"inputs": list(call.paths), "outputs": list(outputs)}
        with report_stage("write", path.name):
            write_program(program, path, {NAMES_FILE: json.dumps(names)})
    untrusted: list[str] = []

    def open_own(path: Path, spec: InputSpec) -> ProgramRunner:
        try:
            return open_program(path, spec)
        except TrustError as error:
            if own_operators:
                raise _ForeignOperatorsError(f"{_FOREIGN}.") from error
            untrusted.append(_UNTRUSTED)
            return open_program(path, spec, trust=True)

    checked = check_traced_artifact(path, spec, outputs, sizes, reference=reference, opener=open_own)
    return (*notes, *checked, *untrusted)
