"""All obstacles of an export of a module: from the module itself, from two runs, and from a draft trace."""

from collections.abc import Collection, Iterator, Mapping
from math import inf
from typing import Any

import psutil
import torch
from torch import nn

from dummyio.errors import DummyioError, ExportError, format_error_line
from dummyio.exporting.onnx_precision import LARGEST_FILE
from dummyio.exporting.preview.obstacle import Obstacle
from dummyio.exporting.stages import report_stage
from dummyio.input_spec import InputSpec
from dummyio.materialize.memory_budget import format_bytes
from dummyio.process_state import hold_process_state, silence_thread
from dummyio_torch.calling.call_module import ModuleCall, evaluation_mode
from dummyio_torch.calling.meta_copy import check_packed_weights
from dummyio_torch.calling.private_copy import copy_to_trace
from dummyio_torch.calling.silence import hide_export, silence_exporters, use_plain_layers
from dummyio_torch.description.describe_module import unwrap_module
from dummyio_torch.exporting.implementation_fallback import Implementations, try_implementations
from dummyio_torch.exporting.parts.optimum_components import split_into_components
from dummyio_torch.exporting.tracing.trace_inputs import (
    FlatModule,
    find_output_names,
    make_other_inputs,
    make_trace_inputs,
    separate_outputs,
)
from dummyio_torch.exporting.weight_kinds import is_scripted
from dummyio_torch.preview.draft_trace import Decision, Draft, trace_draft
from dummyio_torch.preview.graph_obstacles import (
    find_fixed_sizes,
    find_missing_operators,
    find_random_numbers,
    list_kernels,
)
from dummyio_torch.preview.model_state import Runs, compare_runs, read_state
from dummyio_torch.preview.own_lines import Line, choose_line, find_line_of_error
from dummyio_torch.preview.plan_files import count_weight_bytes
from dummyio_torch.symbolic import find_model_files

_LOGGERS = ("torch._subclasses", "torch.fx")
"""What a draft logs of tensors that it cannot compute."""
_PEAK = 1.3
"""The memory that an export takes beside the model, as a share of its weights."""
_BRANCH = (
    "Compute both ways and choose with torch.where, or use torch.cond; if the answer is always the same, state it with "
    "torch._check. Else export the part before that."
)


def find_obstacles(
    model: nn.Module, spec: InputSpec, format_name: str, options: Mapping[str, Any]
) -> Iterator[Obstacle]:
    """Yield all obstacles of an export of a module.

    Parameters
    ----------
    model, spec
        The module and its inputs, static dims fixed.
    format_name
        The name of the format.
    options
        The options of its exporter that were given.
    """
    yield from _check_memory(model, format_name, options)
    yield from _check_mode(model)
    if format_name == "onnx_folder":
        try:
            parts = split_into_components(model, spec, past=options.get("past", True))
        except ExportError as error:
            yield Obstacle("format", str(error), "Write one file: a path with the suffix of a format.")
            return
        for file, (part, own) in parts.items():
            yield from _examine(part, own, format_name, options, file)
        return
    yield from _examine(model, spec, format_name, options, type(model).__name__)


def _check_memory(model: nn.Module, format_name: str, options: Mapping[str, Any]) -> Iterator[Obstacle]:
    weights, free = count_weight_bytes(model), psutil.virtual_memory().available
    has_none = any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers()))
    if has_none and options.get("weights", True):
        remedy = "Load the weights (to_empty and load_state_dict), or export the structure alone: weights=False."
        yield Obstacle("memory", "weights of the model have no memory: they are on the device 'meta'.", remedy)
    elif not has_none and weights * _PEAK > free:
        message = f"the weights take {format_bytes(weights)}, an export {format_bytes(int(weights * _PEAK))} more, and {format_bytes(free)} are free."
        remedy = "Load the model in half precision, or export on a machine with more memory."
        yield Obstacle("memory", message, remedy)
    if format_name.startswith("onnx") and options.get("external_data") is False and weights > LARGEST_FILE:
        message = f"external_data=False: the weights take {format_bytes(weights)}, too much for one file (2 GB)."
        yield Obstacle("memory", message, "Leave the option out.")


def _check_mode(model: nn.Module) -> Iterator[Obstacle]:
    modes = [part.training for part in model.modules()]
    if any(modes):
        some = "" if all(modes) else f" ({sum(modes)} of its {len(modes)} parts)"
        message = f"the model is in training mode{some}; it is exported and validated in evaluation mode."
        yield Obstacle("mode", message, "Call model.eval() to see the results that the artifact has.", stops=False)
    devices = {str(tensor.device) for tensor in (*model.parameters(), *model.buffers())}
    if len(devices) > 1:
        message = f"the weights are on several devices: {', '.join(sorted(devices))}."
        yield Obstacle("mode", message, "Move the model to one device: model.to('cpu').")


class _StoppedError(Exception):
    """The draft has obstacles: another implementation of the model's parts may have none."""


def _examine(
    model: nn.Module, spec: InputSpec, format_name: str, options: Mapping[str, Any], name: str
) -> list[Obstacle]:
    """Return the obstacles that runs and a trace of one module show."""
    if options.get("exporter", "dynamo") != "dynamo":
        message = "the torchscript exporter has no draft mode, so the model was not traced."
        return [Obstacle("trace", message, stops=False)]
    model = unwrap_module(model)
    try:
        check_packed_weights(model)
    except DummyioError as error:
        return [Obstacle("trace", str(error))]  # it states the remedy itself
    if is_scripted(model):
        message = "a part of the model is TorchScript, which torch.export does not trace, so the model was not traced."
        remedy = "Give the module that it was made from; ONNX is written by exporter='torchscript'."
        return [Obstacle("trace", message, remedy, stops=not format_name.startswith("onnx"))]
    attempts: list[list[Obstacle]] = []
    with hold_process_state():
        copied, reasons = copy_to_trace(model, largest=inf)

        def attempt() -> tuple[str, ...]:
            attempts.append(list(_try_draft(copied, spec, format_name, options, name, can_change=not reasons)))
            if any(obstacle.stops for obstacle in attempts[-1]):
                raise _StoppedError
            return ()

        notes = [Obstacle("trace", reason, stops=False) for reason in reasons]
        chosen = Implementations(options.get("attention"), options.get("experts"))
        try:
            try_implementations(copied, attempt, chosen)
        except ExportError:
            return [*notes, *attempts[0]]
    if len(attempts) > 1:
        first = next(obstacle for obstacle in attempts[0] if obstacle.stops)
        message = f"the model's own attention or experts fail, so other implementations are used: {first.message}"
        notes.append(Obstacle("trace", message, "", first.where, first.code, stops=False))
    return [*notes, *attempts[-1]]


def _try_draft(
    model: nn.Module, spec: InputSpec, format_name: str, options: Mapping[str, Any], name: str, *, can_change: bool
) -> Iterator[Obstacle]:
    spec, files = separate_outputs(spec), find_model_files(model)
    call = ModuleCall(model, spec)
    with evaluation_mode(model), silence_thread(_LOGGERS), silence_exporters(), hide_export(), use_plain_layers():
        others, state = make_other_inputs(spec, model), read_state(model)
        try:
            outputs, _ = find_output_names(call, others)
        except ExportError as error:
            remedy = "Make it run on these inputs, or describe others: spec=."
            yield Obstacle("inputs", str(error), remedy, *find_line_of_error(error, files))
            return
        with report_stage("runs", name):
            runs = compare_runs(call, others, state) if can_change else Runs((), is_repeatable=True)
        with report_stage("trace", name):
            flat = FlatModule(call, outputs)
            tensors = tuple(make_trace_inputs(spec, model).values())
            is_onnx, rewrite = format_name.startswith("onnx"), options.get("rewrite", True)
            draft = trace_draft(flat, tensors, spec, rewrite=rewrite, is_onnx=is_onnx)
        yield from _list_state(runs)
        yield from (_explain_decision(decision, files) for decision in draft.decisions)
        yield from list_kernels(draft.kernels, files)
        yield from _read_draft(draft, spec, format_name, options, files, runs)


def _list_state(runs: Runs) -> Iterator[Obstacle]:
    """Yield what the model keeps of a call; it stops an export if the next call returns something else."""
    for change in runs.changes:
        what = "buffer" if change.is_buffer else "attribute"
        if runs.is_repeatable:
            message = (
                f"a call changes the {what} {change.name}, and the artifact does not; the next call returned the same."
            )
            yield Obstacle("state", message, "", *change.line, stops=False)
        else:
            message = f"a call changes the {what} {change.name}, so the next one returns something else; an artifact keeps no state."
            yield Obstacle("state", message, "Make the state an input and an output of forward.", *change.line)


def _explain_decision(decision: Decision, files: Collection[str]) -> Obstacle:
    line = choose_line(decision.frames, files)
    if decision.expression.isidentifier():
        message = f"the model makes a number of a value ({decision.expression}), and a graph has no number that depends on values."
        return Obstacle("value", message, "Keep it a tensor, without int(), float(), item() or tolist().", *line)
    message = f"the model decides by values ({decision.expression}), where a graph is one for all of them."
    return Obstacle("value", message, _BRANCH, *line)


def _read_draft(
    draft: Draft, spec: InputSpec, format_name: str, options: Mapping[str, Any], files: Collection[str], runs: Runs
) -> Iterator[Obstacle]:
    if draft.program is None:
        reason = format_error_line(draft.error, 1000) if draft.error is not None else ""
        line = find_line_of_error(draft.error, files) if draft.error is not None else Line()
        yield Obstacle("trace", f"the trace ends: {reason}", "Change this line, or export the part before it.", *line)
        if not runs.is_repeatable and not runs.changes:
            yield Obstacle(
                "random", "two runs on the same inputs return different results.", "Make random numbers an input."
            )
        return
    yield from find_fixed_sizes(draft.program, spec, draft.log.list_fixed() if draft.log is not None else {}, files)
    if not runs.is_repeatable:
        yield from find_random_numbers(draft.program, files)
    if format_name.startswith("onnx"):
        from dummyio_torch.onnx_passes.registry import PASSES, make_translation_table  # noqa: PLC0415 - lazy: needs onnxscript

        table = make_translation_table(PASSES, options.get("opset"))
        with torch.no_grad():
            yield from find_missing_operators(draft.program, table, options.get("opset"), files)
