"""Sizes at which a trace would have decided otherwise, such as an odd one for ``if n % 2``, and the check of an artifact there.

A trace takes one way at each decision of Python by a size, and the graph has that way alone. The decisions that it records name the
sizes to compare with the model; a decision that changes nothing, such as a check of strides, passes there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sympy
import torch

from dummyio.errors import ExportError
from dummyio.exporting.artifact_check import TOLERANCE, Run, check_artifact, list_usual_sizes
from dummyio.input_spec import InputSpec
from dummyio.running.runner import Runner, open_runner
from dummyio.spec.dims import Dim, Size, collect_dims, evaluate_size
from dummyio.spec.probe_plan import sizes_are_valid
from dummyio_torch.exporting.tracing.trace_inputs import iterate_dynamic_axes
from dummyio_torch.symbolic.constant_watch import SpecializationLog

_MOST = 3
"""Runs beyond the usual ones."""
_REACH = 6
"""How far from its default a size is looked for, where the probe plan has none that contradicts a decision."""
_LONGEST = 512
"""The largest size that is tried for a number in a decision: a run of it must stay cheap."""


@dataclass(frozen=True, slots=True)
class CheckSizes:
    """The sizes at which an artifact is compared with the model."""

    sizes: Sequence[Mapping[str, int]]
    """The usual ones, and some that contradict decisions of the trace."""
    lines: Sequence[str]
    """The lines of the model that decide otherwise there."""
    notes: tuple[str, ...]
    """Notes for the user on decisions that no size contradicts."""


def choose_check_sizes(
    spec: InputSpec,
    log: SpecializationLog,
    tensors: Mapping[str, torch.Tensor],
    refused: Sequence[dict[str, int]] | None = None,
) -> CheckSizes:
    """Return the sizes at which to compare what a trace became with the model.

    Parameters
    ----------
    log, tensors
        The log of the trace, and path → tensor that it was traced with.
    refused
        For an artifact that has guards, the sizes that they refuse and that are to be compared.
    """
    named = {tensors[path].shape[axis]: size for path, axis, size in iterate_dynamic_axes(spec)}
    decisions = {
        decision: {symbol: named[log.sizes[symbol]] for symbol in decision.free_symbols}
        for decision in log.decisions
        if all(log.sizes.get(symbol) in named for symbol in decision.free_symbols)
    }
    usual = list_usual_sizes(spec)
    if refused is None:
        doubtful, contradicted = _choose_sizes(decisions, _iterate_sizes(spec, decisions))
    else:
        doubtful, contradicted = refused, _find_contradicted(decisions, refused)
    certain = [each for each, symbols in decisions.items() if _follows_from_multiples(each, symbols)]
    return CheckSizes(
        sizes=[*usual, *(each for each in doubtful if each not in usual)],
        lines=list(dict.fromkeys(line for decision in contradicted if (line := log.decisions[decision]))),
        notes=log.list_notes([*contradicted, *certain]),
    )


def check_traced_artifact(
    path: Path,
    spec: InputSpec,
    outputs: Sequence[str],
    chosen: CheckSizes,
    *,
    reference: Run,
    tolerance: float | None = TOLERANCE,
    opener: Callable[[Path, InputSpec], Runner] = open_runner,
) -> tuple[str, ...]:
    """Check an artifact at the chosen sizes as `check_artifact` does, and return notes.

    Raises
    ------
    ExportError
        as `check_artifact`; it names the lines of the model that decide by a size, if there are some.
    """
    try:
        notes = check_artifact(
            path, spec, outputs, reference=reference, sizes=chosen.sizes, tolerance=tolerance, opener=opener
        )
    except ExportError as error:
        if not chosen.lines:
            raise
        raise ExportError(f"{error} The model's Python decides by sizes: {'; '.join(chosen.lines[:3])}.") from error
    return (*chosen.notes, *notes)


def _choose_sizes(
    decisions: Mapping[sympy.Basic, Mapping[Any, Size]], candidates: Iterable[dict[str, int]]
) -> tuple[Sequence[dict[str, int]], list[sympy.Basic]]:
    """Return the first few sizes that contradict a decision which those before do not, and all decisions that they contradict."""
    left = dict(decisions)
    chosen: list[dict[str, int]] = []
    for sizes in candidates:
        contradicted = [decision for decision, symbols in left.items() if not _holds(decision, symbols, sizes)]
        if contradicted:
            chosen.append(sizes)
            for decision in contradicted:
                del left[decision]
        if len(chosen) == _MOST or not left:
            break
    return chosen, [decision for decision in decisions if decision not in left]


def _find_contradicted(
    decisions: Mapping[sympy.Basic, Mapping[Any, Size]], candidates: Iterable[Mapping[str, int]]
) -> list[sympy.Basic]:
    return [
        decision
        for decision, symbols in decisions.items()
        if not all(_holds(decision, symbols, sizes) for sizes in candidates)
    ]


def _iterate_sizes(spec: InputSpec, decisions: Iterable[sympy.Basic]) -> Iterator[dict[str, int]]:
    """Yield the probe plan, then the default sizes with one dim a little larger or smaller, then at the numbers of the decisions."""
    yield from spec.probes()
    default = spec.sizes()
    numbers = sorted({int(number) for decision in decisions for number in decision.atoms(sympy.Integer)})
    at_numbers = [number + step for number in numbers if 0 < number < _LONGEST for step in (-1, 0, 1)]
    for dim in collect_dims(size for _, leaf in spec.leaves for size in leaf.shape).values():
        near = (dim.size + step * dim.multiple_of for step in range(-_REACH, _REACH + 1))
        for size in dict.fromkeys((*near, *at_numbers)):
            sizes = default | {dim.name: size}
            if not dim.fixed and dim.takes(size) and sizes_are_valid(spec, sizes):
                yield sizes


def _holds(decision: sympy.Basic, symbols: Mapping[Any, Size], sizes: Mapping[str, int]) -> bool:
    values = {symbol: sympy.Integer(evaluate_size(size, sizes)) for symbol, size in symbols.items()}
    return decision.xreplace(values) != sympy.false


def _follows_from_multiples(decision: sympy.Basic, symbols: Mapping[Any, Size]) -> bool:
    """Return whether a decision holds at all sizes, since the dims are multiples: an image's side of 32 can be halved."""
    multiples = {
        symbol: size.multiple_of * sympy.Dummy(integer=True, positive=True)
        for symbol, size in symbols.items()
        if isinstance(size, Dim)
    }
    return decision.xreplace(multiples) == sympy.true
