"""Corrections of ranks, dtypes, sizes and missing inputs: a search that begins with the layout of the refused spec."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial

import torch

from dummyio.errors import DimError, SourceError, SpecError
from dummyio.input_spec import InputSpec
from dummyio_torch.calling.meta_copy import Kind, iterate_weights
from dummyio_torch.description.asked_arguments import find_asked_arguments, lacks_argument
from dummyio_torch.description.describe_module import describe
from dummyio_torch.description.initial_layout import LayoutStart
from dummyio_torch.description.signature_arguments import Argument, list_arguments
from dummyio_torch.discovery.layout import InputLayout
from dummyio_torch.discovery.run_observer import Facts
from dummyio_torch.discovery.runs.layout_trial import LayoutTrial
from dummyio_torch.discovery.search import NeedsValues, search_layout
from dummyio_torch.proof.attempts import Attempt, Attempts
from dummyio_torch.proof.spec_layout import apply_layout, to_layout
from dummyio_torch.proof.weights import count_weight_bytes, has_values

_RUNS: dict[Kind, int] = {"meta": 300, "fake": 120, "real": 200}
"""Runs to spend on a search."""
_MAX_REAL_WEIGHTS = 1 << 26
"""The most bytes of weights of a module that a search runs with values."""
_MAX_ADDED = 4


def search_other_layout(attempts: Attempts, attempt: Attempt) -> Iterator[InputSpec]:
    """Yield the spec with the ranks, dtypes and sizes with which the module runs."""
    yield from _search(attempts, attempt.spec, ())


def search_anew(attempts: Attempts, attempt: Attempt) -> Iterator[InputSpec]:
    """Yield the spec that a search without a guess finds, if it has all inputs of the guess."""
    if attempts.call.task is not None:
        return
    with suppress(SourceError):  # it finds none: the refusal of the guess is the better message
        found = describe(attempts.module, dims=dict(attempts.call.constants))
        if not set(attempt.spec) <= set(found):
            return
        yield InputSpec(found, task=attempt.spec.task, outputs=found.outputs, provenance=found.provenance)


def add_inputs(attempts: Attempts, attempt: Attempt) -> Iterator[InputSpec]:
    """Yield specs with the arguments of forward that the run asks for: those without a default, and those that it found to be None."""
    arguments = [a for a in _list_arguments(attempts) if a.name not in attempt.spec]
    required = [a for a in arguments if a.required]
    if required:
        yield from _search(attempts, attempt.spec, required)
        return
    assert attempt.error is not None
    asked = find_asked_arguments(attempt.error, {a.name: a for a in arguments if a.can_be_data})
    if not asked and "NoneType" in str(attempt.error):
        asked = [a for a in arguments if a.is_data]
    for argument in asked[:_MAX_ADDED]:
        yield from _search(attempts, attempt.spec, (argument,))
    if len(asked) > 1:
        yield from _search(attempts, attempt.spec, asked[:_MAX_ADDED])


def _list_arguments(attempts: Attempts) -> list[Argument]:
    try:
        return list_arguments(attempts.module, attempts.call.constants)
    except SourceError:  # an argument without a default that is not a tensor, which nobody can choose
        return []


def _search(attempts: Attempts, spec: InputSpec, added: Sequence[Argument]) -> Iterator[InputSpec]:
    """Yield the spec as a search changes it: so that the module runs, or gets farther."""
    module = attempts.module
    if attempts.call.task is not None:
        return
    taken = frozenset(size for tensor in iterate_weights(module) for size in tensor.shape)
    # Sizes that differ show which axis a size inside of the module comes from.
    known = to_layout(spec, next(iter(spec.probes()), spec.sizes()), taken)
    floating = next((t.dtype for t in iterate_weights(module) if t.dtype.is_floating_point), torch.float32)
    layout = known.layout
    start = LayoutStart.of(floating, _list_arguments(attempts))
    for argument in added:
        layout = start.add(layout, argument)
    seen = {known.layout.key}
    for found, facts in _find_layouts(attempts, layout, floating):
        if found.key not in seen:
            seen.add(found.key)
            with suppress(DimError, SpecError):  # no spec says what the search found, such as a dim with two sizes
                yield apply_layout(known, found, facts)


def _find_layouts(
    attempts: Attempts, layout: InputLayout, floating: torch.dtype
) -> Iterator[tuple[InputLayout, Facts]]:
    """Yield layouts with which a module runs or gets farther, and what the runs have shown."""
    module, known = attempts.module, dict(layout.trees)
    offered = {a.name: a for a in _list_arguments(attempts) if a.can_be_data and a.name not in known}
    for kind, runs in _RUNS.items():
        if kind == "real" and (count_weight_bytes(module) > _MAX_REAL_WEIGHTS or not has_values(module)):
            return
        trial = LayoutTrial.of(
            module,
            kind,
            positional=attempts.call.positional,
            constants=dict(attempts.call.constants),
            floating=floating,
            lacks_input=partial(lacks_argument, offered=offered),
        )
        try:
            run, farthest = search_layout(trial, layout, runs)
        except NeedsValues as needs:
            layout = needs.layout
            yield layout, trial.current().facts
            continue
        if run is not None:
            yield run.layout, run.spy.facts
            return
        yield farthest.layout, farthest.spy.facts
        return  # values show no more than shapes if these suffice to refuse the inputs
