"""The checks of sizes in an exported program, and which of them it can do without.

A trace records each decision by a size as a guard, such as ``size // 32 != 1`` where PyTorch asks whether to broadcast. Most of them
change nothing in the graph, and with them the program refuses sizes that its spec permits.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx.experimental.symbolic_shapes import SYMPY_INTERP
from torch.utils._sympy.value_ranges import ValueRanges

from dummyio.errors import RunError
from dummyio.exporting.artifact_check import Run
from dummyio.input_spec import InputSpec
from dummyio.spec.probe_plan import sizes_are_valid

_UNCHECKED = 2
"""The least bound of a trace, which PyTorch does not check: smaller sizes run too."""


@dataclass(frozen=True, slots=True)
class _Sized:
    """A tensor as guards see it."""

    shape: tuple[int, ...]

    def size(self) -> tuple[int, ...]:
        return self.shape


def relax_guards(program: ExportedProgram, spec: InputSpec, reference: Run) -> list[dict[str, int]]:
    """Remove from a flat program what refuses sizes at which the model runs, and return these sizes of dims.

    The sizes are the default ones, those of the probe plan, and all dims at their least. Whether the program computes there what the model does is for
    the check of the written file to tell.
    """
    guards = program._guards_code  # noqa: SLF001 - PyTorch has no public access to them
    ranges = program.range_constraints
    symbols = _find_symbols(program)
    refused: list[dict[str, int]] = []
    plan = [spec.sizes(), *spec.probes()]
    least = {name: min(sizes[name] for sizes in plan) for name in plan[0]}
    for sizes in [*plan, least] if sizes_are_valid(spec, least) else plan:
        shapes = [leaf.sizes(sizes) for _, leaf in spec.leaves]
        held = [guard for guard in guards if _holds(guard, shapes)]
        wider = {symbol: _widen(ranges[symbol], shapes[place][axis]) for symbol, (place, axis) in symbols.items()}
        refuses = len(held) < len(guards) or any(ranges[symbol] != bounds for symbol, bounds in wider.items())
        if refuses and _runs(reference, spec, sizes):
            refused.append(sizes)
            guards[:] = held
            ranges.update(wider)
    return refused


def _find_symbols(program: ExportedProgram) -> dict[Any, tuple[int, int]]:
    """Return each symbol that is a size of an input → the place of the input, and the axis."""
    values = {node.name: node.meta.get("val") for node in program.graph.find_nodes(op="placeholder")}
    return {
        size.node.expr: (place, axis)
        for place, name in enumerate(program.graph_signature.user_inputs)
        for axis, size in enumerate(values[str(name)].shape)
        if isinstance(size, torch.SymInt) and size.node.expr in program.range_constraints
    }


def _runs(reference: Run, spec: InputSpec, sizes: Mapping[str, int]) -> bool:
    try:
        reference(spec.feeds(**sizes))
    except RunError:
        return False
    return True


def _holds(guard: str, shapes: Iterable[tuple[int, ...]]) -> bool:
    names = {"math": math, "inf": math.inf, "L": {"tensors": [_Sized(shape) for shape in shapes]}}
    return bool(eval(guard, {**SYMPY_INTERP, **names}))  # noqa: S307 - PyTorch printed it, and compiles it likewise


def _widen(bounds: ValueRanges[Any], size: int) -> ValueRanges[Any]:
    return ValueRanges(min(bounds.lower, max(size, _UNCHECKED)), max(bounds.upper, size))
