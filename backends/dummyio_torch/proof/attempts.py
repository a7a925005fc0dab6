"""Runs of a copy of a module on the inputs of a spec: on shapes, or with values; and how each run ended."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import nn

from dummyio.input_spec import InputSpec
from dummyio.materialize.generate import to_framework
from dummyio.process_state import ignore_warnings
from dummyio.sources.proof.budget import Budget
from dummyio.sources.proof.result_digest import digest_results
from dummyio.typing import Array
from dummyio_torch.calling.meta_copy import Kind, MetaCopy
from dummyio_torch.discovery.operation_rules import check_operands
from dummyio_torch.discovery.run_observer import Facts, OperandMismatch, RunObserver, RunTooLong
from dummyio_torch.discovery.runs.layout_trial import depends_on_values
from dummyio_torch.discovery.runs.memory_guard import MemoryGuard, MemoryLimitError
from dummyio_torch.proof.model_call import ModelCall
from dummyio_torch.proof.spec_layout import SpecLayout, to_layout

Level = Literal["shapes", "values"]
Ending = Literal["took", "refused", "unknown"]
"""How a run ended: the module took the inputs, refused them, or the run could not show it."""
_NOT_ON_CPU = re.compile(
    r"not implemented for '(?:Half|BFloat16|Float8\w*|ComplexHalf)'|from the 'CPU' backend|with dtype float8"
)
"""Texts of errors of operations that the CPU lacks; one that lacks a dtype of whole numbers refuses an input."""
_MANY, _LEAST = 4, 5_000
"""Times the operations of the first run, and the operations that every run may have."""


@dataclass(frozen=True)
class Attempt:
    """One run, and how it ended."""

    spec: InputSpec
    sizes: Mapping[str, int]
    level: Level
    ending: Ending
    error: Exception | None = None
    facts: Facts = field(default_factory=Facts)
    """What the run has shown of the inputs; empty after a run with values that nothing observed."""
    count: int = 0
    """Operations that the run reached."""
    seconds: float = 0.0
    nbytes: int = 0
    """The most bytes that the run took, or would have taken with values."""


class Attempts:
    """A module, of which copies are run.

    Parameters
    ----------
    module
        It is neither run nor changed.
    call
        How it is called.
    budget
        What runs may cost.
    """

    def __init__(self, module: nn.Module, call: ModelCall, budget: Budget) -> None:
        self.module, self.call, self.budget = module, call, budget
        self._copies: dict[Kind, MetaCopy] = {}
        self._known: dict[object, Attempt] = {}
        self._most: int | None = None
        """The most operations of a run on shapes: a loop over a long sequence, step by step, proves nothing that a short one does not."""
        self.peak = 0
        """The most bytes that a run with values took, weights aside; those of runs that were refused count too."""
        self.building = 0.0
        """Seconds in which copies of the module were made."""
        self.running = 0.0
        """Seconds in which copies of the module ran."""

    @property
    def copied(self) -> bool:
        """Whether the module could be copied."""
        return bool(self._copies)

    def run_on_shapes(self, spec: InputSpec, sizes: Mapping[str, int], *, fake: bool = False) -> Attempt:
        """Run the module without values, and observe which tables the inputs index.

        Parameters
        ----------
        spec, sizes
            The inputs.
        fake
            Whether to run once more on fake tensors, if the module asks a tensor of shapes alone for its values: models see that a
            fake tensor has none. Such a run takes longer.
        """
        attempt = self._know_on_shapes(spec, sizes, "meta")
        needs_values = attempt.ending == "unknown" and not isinstance(attempt.error, RunTooLong)
        return self._know_on_shapes(spec, sizes, "fake") if fake and needs_values else attempt

    def _know_on_shapes(self, spec: InputSpec, sizes: Mapping[str, int], kind: Kind) -> Attempt:
        """Return how a run on shapes ends; each is made once, also if dims have got other bounds since."""
        shapes = ((path, leaf.dtype, *map(str, leaf.shape), *leaf.sizes(sizes)) for path, leaf in spec.leaves)
        key = (kind, *shapes)
        if key not in self._known:
            self._known[key] = self._run_on_shapes(spec, sizes, kind)
        return replace(self._known[key], spec=spec, sizes=sizes)

    def _run_on_shapes(self, spec: InputSpec, sizes: Mapping[str, int], kind: Kind) -> Attempt:
        copy = self._copy(kind)
        known: SpecLayout = to_layout(spec, sizes)
        tensors = {
            path: copy.tensor(known.layout.shape(leaf), leaf.dtype) for path, leaf in known.layout.leaves.items()
        }
        spy = RunObserver(known.layout, tensors, _note_operands, strict=False, most=self._most)
        guard = MemoryGuard(None)
        start, error = time.perf_counter(), None
        try:
            with ignore_warnings(), guard:
                self._call(copy, spy, known.layout.build(tensors))
        except TimeoutError:  # a caller's own limit, not the module's answer
            raise
        except Exception as caught:  # noqa: BLE001 - a module may raise anything
            error = caught
        if self._most is None:
            self._most = max(_MANY * spy.count, _LEAST)
        unknown = isinstance(error, RunTooLong) or (error is not None and depends_on_values(error))
        ending: Ending = "took" if error is None else "unknown" if unknown else "refused"
        seconds = time.perf_counter() - start
        return Attempt(spec, sizes, "shapes", ending, error, spy.facts, spy.count, seconds, guard.peak)

    def run_with_values(
        self, spec: InputSpec, sizes: Mapping[str, int], *, observe: bool = False, guarded: bool = True
    ) -> Attempt:
        """Run the module with the values of the spec, within the budget.

        Parameters
        ----------
        spec, sizes
            The inputs.
        observe
            Whether to observe which tables the inputs index, which takes longer.
        guarded
            Whether to refuse an operation that exceeds the budget; needless where a run on shapes has shown that none does.
        """
        copy = self._copy("real")
        guard = MemoryGuard(self.budget.memory)
        start, error = time.perf_counter(), None
        spy: RunObserver | None = None
        try:
            inputs = spec.generate("pt", device="cpu", **sizes)
            with ExitStack() as stack:
                stack.enter_context(ignore_warnings())
                if guarded:
                    stack.enter_context(guard)
                if observe:
                    known = to_layout(spec, sizes)
                    spy = RunObserver(known.layout, _leaves(spec, inputs), _note_operands, strict=False, most=None)
                self._call(copy, spy, inputs)
        except TimeoutError:  # a caller's own limit, not the module's answer
            raise
        except Exception as caught:  # noqa: BLE001 - a module may raise anything
            error = caught
        self.peak = max(self.peak, guard.peak)
        ending: Ending = "took" if error is None else "unknown" if _shows_nothing(error) else "refused"
        facts, count = (spy.facts, spy.count) if spy is not None else (Facts(), 0)
        return Attempt(spec, sizes, "values", ending, error, facts, count, time.perf_counter() - start, guard.peak)

    def compute(self, spec: InputSpec, feeds: dict[str, Array], *, guarded: bool) -> bytes | None:
        """Return a digest of the module's results on flat inputs; None if it refuses them. See `run_with_values`."""
        copy = self._copy("real")
        try:
            with ignore_warnings(), MemoryGuard(self.budget.memory) if guarded else nullcontext():
                return digest_results(self._call(copy, None, to_framework(spec, feeds, "pt", device="cpu")), _to_bytes)
        except TimeoutError:  # a caller's own limit, not the module's answer
            raise
        except Exception:  # noqa: BLE001 - a module may raise anything
            return None

    def _copy(self, kind: Kind) -> MetaCopy:
        if kind not in self._copies:
            start = time.perf_counter()
            self._copies[kind] = MetaCopy(self.module, kind)
            self.building += time.perf_counter() - start
        return self._copies[kind]

    def _call(self, copy: MetaCopy, spy: RunObserver | None, inputs: Mapping[str, Any]) -> Any:
        start = time.perf_counter()
        try:
            return self.call.run(copy, spy, inputs)
        finally:
            self.running += time.perf_counter() - start


def _leaves(spec: InputSpec, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tensors of inputs by path; those in a cache are left out, because the cache may hold copies."""
    return {path: inputs[path] for path, _ in spec.leaves if path in inputs}


def _to_bytes(tensor: torch.Tensor) -> Array:
    """Return a tensor's bits, also those of dtypes that NumPy lacks."""
    bits: Array = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy()
    return bits


def _note_operands(spy: RunObserver, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Note what an operation shows of the inputs; whether it takes its operands is for the operation itself to say."""
    with suppress(OperandMismatch):
        check_operands(spy, name, args, kwargs)


def _shows_nothing(error: Exception) -> bool:
    """Whether a run ended for a reason that says nothing of the inputs: no memory, or an operation that the CPU lacks."""
    return isinstance(error, MemoryLimitError) or _NOT_ON_CPU.search(str(error)) is not None
