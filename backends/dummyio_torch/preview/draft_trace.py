"""A trace as an export does it; if that fails, a draft: where a trace would stop, it takes the value that it sees and goes on.

A draft is the mode of ``torch.export.draft_export``. Its parts are used here instead: its report has three frames of each place,
and nothing of a trace that fails in the end.
"""

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch._functorch import config
from torch._subclasses import fake_tensor, meta_utils
from torch.export import Dim, ExportedProgram
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from dummyio.errors import DummyioError
from dummyio.input_spec import InputSpec
from dummyio.process_state import replace_functions
from dummyio_torch.exporting.tracing.trace_inputs import FlatModule, iterate_dynamic_axes
from dummyio_torch.onnx_passes.recurrent_shapes import infer_recurrent_shapes
from dummyio_torch.symbolic import trace_symbolic_sizes
from dummyio_torch.symbolic.constant_watch import SpecializationLog

_MISSING, _WRONG = "missing_fake_kernel", "mismatched_fake_kernel"
"""The records of PyTorch for an operator that states no shapes of its results, or wrong ones."""

Frames = tuple[tuple[str, int], ...]
"""File and line of frames of Python, outermost first."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A place where the trace needed a value that only a run has."""

    expression: str
    """What was needed, with the symbols of the trace, such as ``Eq(u0, 1)``."""
    frames: Frames


@dataclass(frozen=True, slots=True)
class Kernel:
    """An operator that does not state the shapes of its results, or states wrong ones."""

    operator: str
    reason: str
    """The difference; empty if it states none."""
    frames: Frames


@dataclass(frozen=True, slots=True)
class Draft:
    """The outcome of a trace."""

    program: ExportedProgram | None
    """None if the draft failed too; what was found until then is there."""
    decisions: tuple[Decision, ...] = ()
    kernels: tuple[Kernel, ...] = ()
    log: SpecializationLog | None = None
    error: Exception | None = None
    """The reason that the draft failed."""


def trace_draft(
    flat: FlatModule, tensors: Sequence[torch.Tensor], spec: InputSpec, *, rewrite: bool, is_onnx: bool
) -> Draft:
    """Trace a module as an export to ONNX or to another format does; if that fails, trace a draft.

    `rewrite` is the option of an export.
    """
    axes: dict[str, dict[int, Any]] = {path: {} for path, _ in spec.leaves}
    for path, axis, _ in iterate_dynamic_axes(spec):
        axes[path][axis] = Dim.AUTO
    shapes = (tuple(axes.values()),)
    capture = _capture_for_onnx if is_onnx else _capture_program

    def trace() -> ExportedProgram:
        return capture(flat, tuple(tensors), shapes)

    try:
        program, log = trace_symbolic_sizes(flat.model, trace, rewrite=rewrite)
    except Exception:  # noqa: BLE001 - each layer of an exporter raises exceptions of its own; the draft finds the reasons
        return _trace_with_values(flat.model, trace, rewrite=rewrite)
    return Draft(program, log=log)


def _trace_with_values(model: nn.Module, trace: Callable[[], ExportedProgram], *, rewrite: bool) -> Draft:
    decisions: dict[Frames, Decision] = {}
    kernels: dict[tuple[str, str], Kernel] = {}

    def trace_again() -> ExportedProgram:
        decisions.clear()  # those of the last trace count: earlier ones ran without rewritten functions
        kernels.clear()
        with _take_values(decisions, kernels):
            return trace()

    try:
        program, log = trace_symbolic_sizes(model, trace_again, rewrite=rewrite)
    except Exception as error:  # noqa: BLE001 - each layer of an exporter raises exceptions of its own
        inner = error.__cause__ if isinstance(error, DummyioError) else error
        reason = inner if isinstance(inner, Exception) else error
        return Draft(None, tuple(decisions.values()), tuple(kernels.values()), error=reason)
    if not kernels:
        _end_values(program)
    return Draft(program, tuple(decisions.values()), tuple(kernels.values()), log)


def _capture_program(flat: FlatModule, tensors: tuple[torch.Tensor, ...], shapes: Any) -> ExportedProgram:
    with infer_recurrent_shapes():
        return torch.export.export(flat, tensors, dynamic_shapes=shapes)


def _capture_for_onnx(flat: FlatModule, tensors: tuple[torch.Tensor, ...], shapes: Any) -> ExportedProgram:
    from torch.onnx._internal.exporter import _capture_strategies  # noqa: PLC0415 - lazy: needs onnxscript

    from dummyio_torch.onnx_passes.registry import PASSES, patch_libraries  # noqa: PLC0415 - lazy: needs onnxscript

    with patch_libraries(PASSES):
        result = _capture_strategies.TorchExportNonStrictStrategy()(flat, tensors, None, shapes)
    if result.exported_program is None:
        raise result.exception or RuntimeError("torch.export returned no program")
    return result.exported_program


@contextmanager
def _take_values(decisions: dict[Frames, Decision], kernels: dict[tuple[str, str], Kernel]) -> Generator[None]:
    """Let a trace go on with real values; add where it took one, and the operators without shapes."""

    def note_value(shapes: ShapeEnv, expression: Any, result: Any) -> None:
        del shapes, result
        frames = _list_frames()
        decisions.setdefault(frames, Decision(str(expression), frames))

    def note_kernel(name: str, metadata_fn: Callable[[], dict[str, Any]] = dict, **_: Any) -> None:
        if name in (_MISSING, _WRONG):
            data = metadata_fn()
            key = str(data["op"]), str(data.get("reason") or "")
            kernels.setdefault(key, Kernel(*key, _list_frames()))

    with (
        config.patch(fake_tensor_propagate_real_tensors=True, generate_fake_kernels_from_real_mismatches=True),
        replace_functions(ShapeEnv, _log_real_tensor_propagation=note_value),
        replace_functions(fake_tensor, dtrace_structured=note_kernel),
        replace_functions(meta_utils, _safe_copy=_copy_values),
    ):
        yield


def _list_frames() -> Frames:
    """Return file and line of each frame that is running."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - costs nothing, unlike inspect.stack
    found: list[tuple[str, int]] = []
    while frame is not None:
        found.append((frame.f_code.co_filename, frame.f_lineno))
        frame = frame.f_back
    return tuple(reversed(found))


def _copy_values(target: torch.Tensor, source: torch.Tensor | None) -> None:
    """Give a real tensor of the draft its values; PyTorch 2.13 leaves those of parameters as the memory was."""
    if type(source) is nn.Parameter:
        target.data = source.detach()  # a trace changes no parameter, and a copy would take its memory again
    elif type(source) is torch.Tensor:
        target.copy_(source)


def _end_values(program: ExportedProgram) -> None:
    """Let later steps on the program compute shapes only."""
    for node in program.graph.nodes:
        mode = getattr(node.meta.get("val"), "fake_mode", None)
        if mode is not None:
            mode.propagate_real_tensors = False
