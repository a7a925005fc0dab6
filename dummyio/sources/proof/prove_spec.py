"""Proves a spec on any source that can be run: runs it, corrects it by what the runs show, and runs it at other sizes.

What the source refuses and no correction mends is an error. PyTorch modules have corrections of their own:
`dummyio_torch.proof.prove_spec`.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

from dummyio.errors import DummyioError, OptionError, SourceError, SpecError, format_error_line
from dummyio.input_spec import InputSpec
from dummyio.sources.proof.budget import Budget
from dummyio.sources.proof.effects import find_ineffective_inputs
from dummyio.sources.proof.fit_dims import fit_dims
from dummyio.sources.proof.id_bounds import get_high, halve_ids, lower_ids, use_largest_ids, use_smallest_ids
from dummyio.sources.proof.other_specs import change_dtypes, change_sizes
from dummyio.sources.proof.spec_changes import format_change, has_padding, turn_padding
from dummyio.sources.proof.subject import Level, Run, Subject
from dummyio.spec.dims import Dim
from dummyio.spec.probe_plan import sizes_are_valid
from dummyio.spec.proof import Proof
from dummyio.typing import Array

_MAX_RESTRICTIONS = 24
"""The most times that dims of one spec are restricted."""
_MOST_WAITING = 4
"""How many times the budget's seconds a proof may take if this process waits: for others, or for the one that runs a file."""
_MAX_SIZES = 96
"""The most other default sizes that are tried."""
_TRIED = ("smaller ids", "other dtypes where they are guesses", "other sizes")


def prove_spec(
    subject: Subject, spec: InputSpec, level: str, *, given: Collection[str] = (), budget: Budget | None = None
) -> InputSpec:
    """Return a spec that a source takes, with its proof.

    Parameters
    ----------
    subject
        The source.
    spec
        The guess: what a reader describes.
    level
        ``"auto"``, ``"shapes"`` or ``"values"``.
    given
        Dims whose sizes the caller has chosen: no other default size is tried for them.
    budget
        What the runs may cost.

    Raises
    ------
    SourceError
        If the source refuses the inputs, and no correction helps.
    OptionError
        If a level is asked for at which the source cannot be run.
    """
    if level in ("shapes", "values"):
        asked: Level = "shapes" if level == "shapes" else "values"
        reason = subject.find_obstacle(asked, asked=True)
        if reason is not None:
            other = "values" if asked == "shapes" else "shapes"
            raise OptionError(f"prove={level!r}: {reason}. prove={other!r} or 'auto' may run it.")
        levels: tuple[Level, ...] = (asked,)
        runs = (budget or Budget()).runs
    else:
        levels, runs = subject.levels, subject.runs
    unproved: list[str] = []
    for chosen in levels:
        reason = subject.find_obstacle(chosen, asked=level != "auto")
        if reason is None:
            prover = _Prover(subject, chosen, budget or Budget(), runs, frozenset(given), unproved)
            proved = prover.prove(spec)
            if proved is not None:
                return proved
        else:
            unproved.append(reason)
    return spec.with_proof(Proof(unproved=tuple(dict.fromkeys(unproved))))


@dataclass
class _Prover:
    """The proof of one spec at one level."""

    subject: Subject
    level: Level
    budget: Budget
    runs: int
    given: frozenset[str]
    unproved: list[str]
    corrections: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.began, self.worked = time.monotonic(), time.process_time()

    def prove(self, spec: InputSpec) -> InputSpec | None:
        """Return the spec with its proof; None if no run shows anything."""
        first = self._run(spec)
        if first.ending == "refused":
            spec = self._correct(spec, first)
        elif first.ending == "unknown":
            self.unproved.append("it did not run" + _in_brackets(first.error))
            return None
        if self.level == "values":
            spec = self._prove_largest_ids(spec)
        spec, tried = self._prove_sizes(spec)
        is_padded = self.level == "values" and has_padding(spec) and not self._is_over()
        if is_padded and self._run(turn_padding(spec)).ending != "took":
            self.unproved.append("padding on the other side")
        ineffective: dict[str, str] = {}
        if self.level == "shapes":
            self.unproved += self.subject.unseen
        else:
            ineffective = find_ineffective_inputs(spec, lambda feeds: self._compute(spec, feeds), self._is_over)
        proof = Proof(
            level=self.level,
            sizes=tuple(tried),
            versions=dict(self.subject.versions),
            corrections=tuple(self.corrections),
            unproved=tuple(dict.fromkeys(self.unproved)),
            ineffective=ineffective,
        )
        return spec.with_proof(proof)

    def _compute(self, spec: InputSpec, feeds: dict[str, Array]) -> bytes | None:
        """Return a digest of the results for inputs at the default sizes; None if the source refuses them."""
        return self.subject.run(spec, spec.sizes(), self.level, feeds).digest

    def _run(self, spec: InputSpec, sizes: Mapping[str, int] | None = None) -> Run:
        return self.subject.run(spec, spec.sizes() if sizes is None else sizes, self.level)

    def _correct(self, spec: InputSpec, first: Run) -> InputSpec:
        """Return a spec that the source takes at its default sizes; raise `SourceError` if none is found."""
        smallest = use_smallest_ids(spec)
        if self.level == "values" and smallest != spec and self._run(smallest).ending == "took":
            return spec  # all but its ids is taken
        ways: tuple[tuple[str, int, Iterator[InputSpec]], ...] = (
            ("dtypes", self.budget.corrections, change_dtypes(spec, self.subject.guessed)),
            ("sizes", _MAX_SIZES, change_sizes(spec, self.given)),
        )
        for name, most, others in ways:
            for other in islice(others, most):
                if self._is_over():
                    break
                tried = use_smallest_ids(other) if self.level == "values" else other
                if self._run(tried).ending == "took":
                    found = self._stay_near(spec.sizes(), other) if name == "sizes" else other
                    self.corrections.append(f"{name}: {format_change(spec, found)}")
                    return found
        raise self._refuse(spec, spec.sizes(), first)

    def _stay_near(self, wanted: Mapping[str, int], spec: InputSpec) -> InputSpec:
        """Return a spec that is taken at other sizes than the usual ones with bounds that exclude these, and as near to them as it can be."""
        fitted = fit_dims(spec, wanted, self._takes)
        if fitted is None:
            return spec
        near = {name: _clamp(dim, wanted[name]) for name, dim in fitted.dims.items() if name in wanted}
        with suppress(DummyioError):
            nearer = fitted.with_dims(**near)
            if self._run(use_smallest_ids(nearer) if self.level == "values" else nearer).ending == "took":
                return nearer
        return fitted

    def _prove_largest_ids(self, spec: InputSpec) -> InputSpec:
        """Return the spec with ids that the source takes, the largest too: the bound of each is found by trying."""
        if use_largest_ids(spec) == spec:
            return spec
        largest = self._run(use_largest_ids(spec))
        if largest.ending != "refused":
            return spec
        for path, leaf in spec.leaves:
            high = get_high(leaf.values)
            if high is None or leaf.dtype.kind not in ("int", "uint") or self._takes_ids(spec, path, high):
                continue
            good, bad = 0, high
            while bad - good > 1 and not self._is_over():
                middle = (good + bad) // 2
                good, bad = (middle, bad) if self._takes_ids(spec, path, middle) else (good, middle)
            if good:
                spec = lower_ids(spec, {path: good})
                self.corrections.append(f"ids of {path} stay below {good}: larger ones are refused")
        for other in (spec, *halve_ids(spec)):
            if self._run(use_largest_ids(other)).ending != "refused":
                if other != spec:
                    self.corrections.append(f"ids of several inputs: {format_change(spec, other)}")
                return other
        raise self._refuse(use_largest_ids(spec), spec.sizes(), largest)

    def _takes_ids(self, spec: InputSpec, path: str, high: int) -> bool:
        """Whether the source takes the largest id of one input below a bound, and the smallest ids of all others."""
        try:
            lower = use_largest_ids(lower_ids(spec, {path: high}), path)
        except SpecError:  # every id that is left is reserved
            return False
        return self._run(lower).ending == "took"

    def _prove_sizes(self, spec: InputSpec) -> tuple[InputSpec, list[dict[str, int]]]:
        """Return the spec with dims restricted until the source takes all sizes of the plan, and the sizes that it took."""
        tried = [spec.sizes()]
        for _ in range(_MAX_RESTRICTIONS):
            tried = [sizes for sizes in tried if sizes.keys() == spec.dims.keys() and sizes_are_valid(spec, sizes)]
            refused = next(
                (sizes for sizes in self._list_sizes(spec) if self._add_sizes(spec, sizes, tried) is False), None
            )
            if refused is None:
                break
            fitted = fit_dims(spec, refused, self._takes)
            if fitted is None:
                raise self._refuse(spec, refused, self._run(spec, refused))
            self.corrections.append(f"sizes: {format_change(spec, fitted)}")
            spec = fitted
        return spec, tried

    def _add_sizes(self, spec: InputSpec, sizes: dict[str, int], tried: list[dict[str, int]]) -> bool | None:
        """Add sizes to those that the source took; return whether it takes them."""
        takes = sizes in tried or self._takes(spec, sizes)
        if takes and sizes not in tried:
            tried.append(sizes)
        return takes

    def _list_sizes(self, spec: InputSpec) -> list[dict[str, int]]:
        """Return the sizes to run at, the default sizes first."""
        base = spec.sizes()
        return [base, *(sizes for sizes in spec.probes() if sizes != base)][: self.runs]

    def _takes(self, spec: InputSpec, sizes: Mapping[str, int]) -> bool | None:
        """Whether the source takes the inputs at some sizes; None if no run shows it."""
        if not sizes_are_valid(spec, sizes):
            return False
        found = Run("unknown") if self._is_over() else self._run(spec, sizes)
        if found.ending == "unknown":
            base = spec.sizes()
            text = ", ".join(f"{name}={size}" for name, size in sizes.items() if size != base[name])
            self.unproved.append(f"sizes {text}{_in_brackets(found.error)}")
            return None
        return found.ending == "took"

    def _is_over(self) -> bool:
        wall, work = time.monotonic() - self.began, time.process_time() - self.worked
        return work > self.budget.seconds or wall > _MOST_WAITING * self.budget.seconds

    def _refuse(self, spec: InputSpec, sizes: Mapping[str, int], run: Run) -> SourceError:
        shapes = ", ".join(f"{path} {leaf.dtype}{list(leaf.sizes(dict(sizes)))}" for path, leaf in spec.leaves)
        line = "it refuses them" if run.error is None else format_error_line(find_own_error(run.error)).rstrip(".")
        found = SourceError(
            f"{self.subject.label} refuses the inputs that it is described with ({shapes}): {line}. Corrections that did not help: "
            f"{', '.join(_TRIED)}. Give sizes by name, or take the description as it is with prove='off'."
        )
        found.__cause__ = run.error
        return found


def _clamp(dim: Dim, size: int) -> int:
    """Return the size nearest to another one that a dim can take; its own if its bounds alone do not show it."""
    near = max(dim.min, size if dim.max is None else min(size, dim.max)) // dim.multiple_of * dim.multiple_of
    return near if dim.takes(near) else dim.size


def find_own_error(error: Exception) -> BaseException:
    """Return the exception of the framework itself, behind an error of dummyio."""
    found: BaseException = error
    while isinstance(found, DummyioError) and found.__cause__ is not None:
        found = found.__cause__
    return found


def _in_brackets(error: Exception | None) -> str:
    return "" if error is None else f" ({format_error_line(find_own_error(error), 200)})"
