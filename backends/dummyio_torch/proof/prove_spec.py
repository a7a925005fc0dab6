"""Proves a spec on a live module: runs it, corrects it by what the run shows, and runs it at other sizes.

On shapes no weights are needed; with values the module's own weights are used, if they fit the budget. What the module refuses
and no correction mends is an error.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError
from itertools import chain
from math import prod

import torch
from torch import nn

from dummyio.backend.frameworks import qualified_name
from dummyio.errors import OptionError, SourceError, format_error_line
from dummyio.input_spec import InputSpec
from dummyio.materialize.memory_budget import format_bytes
from dummyio.sources.proof.budget import Budget
from dummyio.sources.proof.effects import find_ineffective_inputs
from dummyio.sources.proof.fit_dims import fit_dims
from dummyio.sources.proof.id_bounds import lower_ids, use_largest_ids
from dummyio.sources.proof.spec_changes import format_change, has_padding, shrink_images, turn_padding
from dummyio.sources.proof.versions import find_version
from dummyio.spec.probe_plan import sizes_are_valid
from dummyio.spec.proof import Proof
from dummyio_torch.description.module_key import module_key
from dummyio_torch.discovery.run_observer import Facts
from dummyio_torch.discovery.runs.memory_guard import MemoryLimitError
from dummyio_torch.proof.attempts import Attempt, Attempts
from dummyio_torch.proof.corrections.id_bounds import find_ids_out_of_bounds, halve_computed_ids
from dummyio_torch.proof.corrections.registry import CORRECTIONS
from dummyio_torch.proof.model_call import ModelCall
from dummyio_torch.proof.weights import count_weight_bytes, has_values

_MAX_RESTRICTIONS = 24
"""The most times that dims of one spec are restricted."""
_MAX_HALVINGS = 4
_PROVED: dict[object, InputSpec] = {}
"""The key of a module, and what was asked → the proved spec: modules with the same code, settings and shapes take the same inputs."""
_MAX_CACHED = 64


def prove_spec(
    module: nn.Module, spec: InputSpec, level: str, call: ModelCall, budget: Budget | None = None
) -> InputSpec:
    """Return a spec that the module takes, with its proof.

    Parameters
    ----------
    module
        A live module; copies of it are run.
    spec
        The guess: what rules or a search describe.
    level
        ``"auto"`` (with values if the weights fit the budget, else on shapes), ``"shapes"`` or ``"values"``.
    call
        How the module is called.
    budget
        What the runs may cost.

    Raises
    ------
    SourceError
        If the module refuses the inputs, and no correction helps.
    OptionError
        If runs with values are asked for, and the weights have no values or exceed the budget.
    """
    budget = budget or Budget()
    reason = _find_obstacle(module, budget)
    if level == "values" and reason is not None:
        raise OptionError(f"prove='values': {reason}. prove='shapes' runs the module without values.")
    with_values = level != "shapes" and reason is None
    key = module_key(
        module, call.constants, {"values": with_values, "spec": spec.sha256, "budget": budget, "given": call.given}
    )
    known = _PROVED.get(key) if key is not None else None
    if known is None:
        known = _prove(Attempts(module, call, budget), spec, with_values=with_values)
        if key is not None:
            if len(_PROVED) >= _MAX_CACHED:
                _PROVED.clear()
            _PROVED[key] = known
    return known


def _prove(attempts: Attempts, spec: InputSpec, *, with_values: bool) -> InputSpec:
    prover = _Prover(attempts, spec, with_values=with_values)
    try:
        found = prover.correct()
    except SourceError as error:
        if attempts.copied:
            raise
        return spec.with_proof(Proof(unproved=(f"it cannot be copied to be run ({format_error_line(error)})",)))
    return prover.prove(found)


def _find_obstacle(module: nn.Module, budget: Budget) -> str | None:
    """Return why a module cannot run with values; None if it can."""
    if not has_values(module):
        return "its weights are on the meta device and have no values"
    size = count_weight_bytes(module)
    if size > budget.weights:
        return f"its weights take {format_bytes(size)}, and the limit is {format_bytes(budget.weights)}"
    return None


@dataclass
class _Prover:
    """The proof of one spec."""

    attempts: Attempts
    spec: InputSpec
    with_values: bool

    def __post_init__(self) -> None:
        self.corrections: list[str] = []
        self.unproved: list[str] = []
        self.facts = Facts()
        self.shapes_suffice = False
        self.began = time.thread_time()
        self.label = type(self.attempts.module).__name__

    def correct(self) -> InputSpec:
        """Return the spec that the module takes at its default sizes; raise `SourceError` if it takes none that is found."""
        first = attempt = self._run(self.spec)
        if attempt.spec != self.spec:
            self.corrections.append(
                f"smaller images, which a run has the memory for: {format_change(self.spec, attempt.spec)}"
            )
        tries = 0
        while attempt.ending == "refused" and not (tries >= self.attempts.budget.corrections or self._is_over()):
            for correction in CORRECTIONS:
                better = None
                for spec in correction.apply(self.attempts, attempt):
                    tries += 1
                    new = self._run(spec)
                    if new.ending == "took" or (new.ending == attempt.ending and new.count > attempt.count):
                        better = new
                        break
                    if tries >= self.attempts.budget.corrections or self._is_over():
                        break
                if better is not None:
                    self.corrections.append(f"{correction.name}: {format_change(attempt.spec, better.spec)}")
                    attempt = better
                    break
            else:
                break
        if attempt.ending == "refused":
            raise self._refused(first)
        return self._bound_ids(attempt)

    def _run(self, spec: InputSpec) -> Attempt:
        """Run a spec at its default sizes: on shapes, which shows tables and memory, and then with values.

        Where values decide the module's way, and its images take more memory than a run may, they get smaller until it ends.
        """
        attempt = self._run_once(spec)
        for _ in range(_MAX_HALVINGS):
            smaller = shrink_images(spec, self.attempts.call.given)
            if not isinstance(attempt.error, MemoryLimitError) or smaller == spec:
                break
            spec, attempt = smaller, self._run_once(smaller)
        return attempt

    def _run_once(self, spec: InputSpec) -> Attempt:
        sizes = spec.sizes()
        on_shapes = self.attempts.run_on_shapes(spec, sizes, fake=not self.with_values)
        self.shapes_suffice = on_shapes.ending == "took"
        if not self.with_values:
            return on_shapes
        observe = on_shapes.ending != "took"
        fits = on_shapes.ending == "took" and on_shapes.nbytes <= self.attempts.budget.memory
        valued = self.attempts.run_with_values(spec, sizes, observe=observe, guarded=not fits)
        if valued.ending == "unknown" and not observe:
            return on_shapes
        facts = valued.facts if observe else on_shapes.facts
        return replace(
            valued, facts=facts, count=max(valued.count, on_shapes.count), nbytes=max(valued.nbytes, on_shapes.nbytes)
        )

    def _bound_ids(self, attempt: Attempt) -> InputSpec:
        """Return the spec with ids that stay below the rows of their tables."""
        self.facts = attempt.facts
        self.first = attempt
        bounds = find_ids_out_of_bounds(attempt.spec, attempt.facts)
        if not bounds:
            return attempt.spec
        spec = lower_ids(attempt.spec, bounds)
        self.corrections += [
            f"ids of {path} stay below {rows}, the rows of the table that they index" for path, rows in bounds.items()
        ]
        return spec

    def prove(self, spec: InputSpec) -> InputSpec:
        """Return the spec with dims restricted to what the module takes, and with its proof."""
        if self.first.ending != "took":
            reason = "" if self.first.error is None else f" ({format_error_line(self.first.error)})"
            self.unproved.append(f"the module did not run{reason}")
            return spec.with_proof(Proof(unproved=tuple(self.unproved), corrections=tuple(self.corrections)))
        if self.first.level == "values":
            spec = self._prove_largest_ids(spec)
        spec, tried = self._prove_sizes(spec)
        if self.first.level == "values":
            self._prove_padding(spec)
        proof = Proof(
            level=self.first.level,
            sizes=tuple(tried),
            versions=_list_versions(self.attempts.module),
            corrections=tuple(self.corrections),
            unproved=tuple(dict.fromkeys(self.unproved)),
            ineffective=self._find_ineffective_inputs(spec) if self.first.level == "values" else {},
        )
        return spec.with_proof(proof)

    def _find_ineffective_inputs(self, spec: InputSpec) -> dict[str, str]:
        """Return the inputs that never vary, or with which no result changes, with the reason."""
        guarded = self.first.nbytes > self.attempts.budget.memory
        takes_long = self.first.seconds * (1 + len(spec.leaves)) > self.attempts.budget.seconds / 8
        return find_ineffective_inputs(
            spec,
            lambda feeds: self.attempts.compute(spec, feeds, guarded=guarded),
            lambda: takes_long or self._is_over(),
        )

    def _prove_sizes(self, spec: InputSpec) -> tuple[InputSpec, list[dict[str, int]]]:
        """Return the spec with dims restricted until the module takes all sizes of the plan, and the sizes that it took."""
        tried = [spec.sizes()]
        for _ in range(_MAX_RESTRICTIONS):
            refused = None
            for sizes in self._list_sizes(spec):
                takes = True if sizes in tried else self._takes(spec, sizes)
                if takes and sizes not in tried:
                    tried.append(sizes)
                if takes is False:
                    refused = sizes
                    break
            if refused is None:
                break
            fitted = fit_dims(spec, refused, self._takes_quickly)
            if fitted is None:
                raise self._refused(self._attempt(spec, refused))
            self.corrections.append(f"sizes: {format_change(spec, fitted)}")
            spec = fitted
        return spec, tried

    def _list_sizes(self, spec: InputSpec) -> list[dict[str, int]]:
        """Return the sizes to run at, the default sizes first."""
        base = spec.sizes()
        return [base, *(sizes for sizes in spec.probes() if sizes != base)][: self.attempts.budget.runs]

    def _takes(self, spec: InputSpec, sizes: Mapping[str, int]) -> bool | None:
        """Whether the module takes the inputs at some sizes; None if no run shows it."""
        if not sizes_are_valid(spec, sizes):
            return False
        attempt = self._attempt(spec, sizes)
        if attempt is None or attempt.ending == "unknown":
            text = ", ".join(f"{name}={size}" for name, size in sizes.items() if size != spec.sizes()[name])
            self.unproved.append(f"sizes {text}")
            return None
        return attempt.ending == "took"

    def _takes_quickly(self, spec: InputSpec, sizes: Mapping[str, int]) -> bool | None:
        """Whether the module takes the inputs at some sizes, by a run on shapes if such runs show what the module takes."""
        if self.shapes_suffice and sizes_are_valid(spec, sizes) and not self._is_over():
            return self.attempts.run_on_shapes(spec, sizes).ending == "took"
        return self._takes(spec, sizes)

    def _attempt(self, spec: InputSpec, sizes: Mapping[str, int]) -> Attempt | None:
        """Run at some sizes: with values where that is as cheap as the budget asks, else on shapes; None if neither is."""
        if self._is_over():
            return None
        growth = _find_growth(spec, sizes)
        cheap = self.first.nbytes * growth**2 <= self.attempts.budget.memory
        if self.first.level == "values" and self.first.seconds * growth < self.attempts.budget.seconds / 8:
            found = self.attempts.run_with_values(spec, sizes, guarded=not cheap)
            if found.ending != "unknown":
                return found
        return self.attempts.run_on_shapes(spec, sizes, fake=self.first.level == "shapes")

    def _prove_largest_ids(self, spec: InputSpec) -> InputSpec:
        """Return the spec with ids that the module takes, the largest too: a table may be indexed by a sum of ids."""
        attempt: Attempt | None = None
        for lower in chain((spec,), halve_computed_ids(spec, self.facts)):
            largest = use_largest_ids(lower)
            attempt = self.attempts.run_with_values(largest, spec.sizes(), guarded=False) if largest != lower else None
            if attempt is None or attempt.ending != "refused":
                if lower != spec:
                    self.corrections.append(f"ids after arithmetic: {format_change(spec, lower)}")
                return lower
        raise self._refused(attempt)

    def _prove_padding(self, spec: InputSpec) -> None:
        """Run with the padding on the other side; note it if the module refuses that."""
        if not has_padding(spec) or self._is_over():
            return
        other = turn_padding(spec)
        attempt = self.attempts.run_with_values(other, spec.sizes(), guarded=False)
        if attempt.ending != "took":
            self.unproved.append("padding on the other side")

    def _is_over(self) -> bool:
        return time.thread_time() - self.began > self.attempts.budget.seconds

    def _refused(self, attempt: Attempt | None) -> SourceError:
        assert attempt is not None
        error = attempt.error
        shapes = ", ".join(
            f"{path} {leaf.dtype}{list(leaf.sizes(dict(attempt.sizes)))}" for path, leaf in attempt.spec.leaves
        )
        tried = f" Corrections that did not help: {', '.join(c.name for c in CORRECTIONS)}." if attempt.level else ""
        line = format_error_line(error) if error is not None else "it refuses them"
        found = SourceError(
            f"{qualified_name(self.attempts.module)} refuses the inputs that it is described with ({shapes}): {line}.{tried} Give sizes by "
            "name, record its calls with dummyio.capture(model), or take the description as it is with prove='off'."
        )
        found.__cause__ = error
        return found


def _find_growth(spec: InputSpec, sizes: Mapping[str, int]) -> float:
    """Return how many times larger than by default an input becomes, the one that grows most: a long text beside a large image too."""
    base = spec.sizes()
    pairs = ((prod(leaf.sizes(sizes)), prod(leaf.sizes(base))) for _, leaf in spec.leaves)
    return max((large / max(usual, 1) for large, usual in pairs), default=1.0)


def _list_versions(module: nn.Module) -> dict[str, str]:
    """Return the versions of PyTorch and of the library that defines the module."""
    found = {"torch": str(torch.__version__)}
    root = type(module).__module__.partition(".")[0]
    if root not in ("torch", "__main__"):
        with suppress(PackageNotFoundError):  # a module of the user's own
            found[root] = find_version(root)
    return found
