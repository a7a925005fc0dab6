"""``torch.export`` to a ``.pt2`` file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export import Dim

from dummyio.errors import ExportError
from dummyio.exporting.artifact import ExportResult
from dummyio.exporting.static_dims import fix_dims
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import find_dims
from dummyio.typing import StaticDims
from dummyio_torch.calling.call_module import ModuleCall, evaluation_mode
from dummyio_torch.calling.silence import silence_exporters
from dummyio_torch.exporting.implementation_fallback import Implementations, try_implementations
from dummyio_torch.exporting.trace_inputs import (
    FlatModule,
    find_output_names,
    iterate_dynamic_axes,
    make_other_inputs,
    make_trace_inputs,
)
from dummyio_torch.running.program_runner import NAMES_FILE, open_program
from dummyio_torch.symbolic import trace_symbolic_sizes

__all__ = ["export_pt2"]


def export_pt2(
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
    """Write a module as an exported program of flat inputs, which carries their paths and its outputs' names.

    Parameters
    ----------
    model, spec, path
        As in `dummyio.exporting`.
    static
        Dims that have one size in the file, their default: ``"all"``, ``"all_but_batch"``, or names.
    attention, experts
        Implementations to trace with, for models of Transformers': ``"eager"``, ``"sdpa"``; ``"batched_mm"``. Where not
        given: the model's own, and others where tracing that fails.
    strict
        Trace Python's bytecode instead of running the module on stand-ins.
    rewrite
        Whether functions of the model may run with rewritten code during the trace, so that sizes stay symbolic.
    """
    spec, narrowing = fix_dims(spec, static)

    def attempt() -> None:
        _write(model, spec, path, strict=strict, rewrite=rewrite)

    note = try_implementations(model, attempt, Implementations(attention, experts))
    return ExportResult(spec, (*narrowing, *([note] if note else [])))


def _write(model: nn.Module, spec: InputSpec, path: Path, *, strict: bool, rewrite: bool) -> None:
    calling = ModuleCall(model, spec)
    leaves = make_trace_inputs(spec, model)
    with evaluation_mode(model), silence_exporters():
        names = find_output_names(calling, make_other_inputs(spec, model))
        axes: dict[str, dict[int, Any]] = {name: {} for name in calling.paths}
        for name, axis, _ in iterate_dynamic_axes(spec):
            axes[name][axis] = Dim.AUTO  # a name would make of equal sizes, or of sums, a refusal
        flat = FlatModule(calling, names)

        def trace() -> torch.export.ExportedProgram:
            return torch.export.export(
                flat, tuple(leaves.values()), dynamic_shapes=(tuple(axes.values()),), strict=strict
            )

        program, _ = trace_symbolic_sizes(model, trace, rewrite=rewrite)
        written = {"inputs": list(calling.paths), "outputs": list(names)}
        torch.export.save(program, path, extra_files={NAMES_FILE: json.dumps(written)})
        _check(path, spec)


def _check(path: Path, spec: InputSpec) -> None:
    """Open what was written; with an automatic dim, a size that the trace has made constant is only logged."""
    ports = {port.name: port.shape or () for port in open_program(path, spec).inputs}
    seen: dict[str, str] = {}
    for name, axis, size in iterate_dynamic_axes(spec):
        found = ports[name][axis]
        if isinstance(found, int):
            raise ExportError(
                f"axis {axis} of {name} ({size}) has become the constant {found} in the trace. Export with that dim fixed, "
                f"static={tuple(dim.name for dim in find_dims(size))}, or another implementation of the model's parts."
            )
        other = seen.setdefault(str(found), str(size))
        if other != str(size):
            raise ExportError(
                f"axis {axis} of {name} ({size}) is the same as {other} in the trace: the model takes them equal only. "
                "Describe it so."
            )
