"""A module under trial: it is run on layouts of its inputs, and each run shows how far it came."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dummyio.materialize.memory_budget import format_bytes
from dummyio.sources.proof.budget import MAX_RUN_BYTES
from dummyio_torch.calling.meta_copy import Kind, MetaCopy
from dummyio_torch.discovery.layer_rules import observe_layers
from dummyio_torch.discovery.layout import InputLayout
from dummyio_torch.discovery.operation_rules import check_operands
from dummyio_torch.discovery.run_observer import OperandMismatch, RunObserver, RunTooLong
from dummyio_torch.discovery.runs.memory_guard import MemoryGuard, MemoryLimitError
from dummyio_torch.discovery.runs.row_lengths import find_counted_axes

_WORDS = re.compile(
    r"DataDependent|DynamicOutputShape|GuardOnData|UnsupportedFakeTensor|UnsupportedOperator|numpy\(\) is not supported"
    r"|data pointer|1D CPU int64 tensor|meta tensor|device meta|meta device|'Meta' backend|register_meta"
    # How `torch.autocast("meta")` fails, with and without a dtype.
    r"|autocast device_type 'meta'|^RuntimeError unsupported scalarType$"
)
"""Texts of errors with which a run without values ends."""
_NAMED = re.compile(r"size|len|resolution|frames|points|height|width|positions")
_INSIDE = re.compile(r"kernel|patch|head|hidden|embed|batch|dilat|vocab|input_size|output_size")
"""Sizes of the module's insides."""


Policy = Literal["full", "ragged"]


@dataclass
class Run:
    """The end of one run."""

    layout: InputLayout
    spy: RunObserver
    error: Exception | None
    lengths: Mapping[str, int] = field(default_factory=dict[str, int])
    """Inputs of lengths that were those of full rows → the axis that they count."""
    policy: Policy = "full"
    """Whether rows of other lengths fit too."""

    @property
    def count(self) -> int:
        """The number of operations that it reached."""
        return self.spy.count


@dataclass
class LayoutTrial:
    """A module under trial."""

    shadow: MetaCopy
    positional: tuple[str, ...] = ()
    constants: dict[str, Any] = field(default_factory=dict[str, Any])
    floating: torch.dtype = torch.float32
    numbers: tuple[int, ...] = ()
    """Sizes that the module's attributes name."""
    runs: int = 0
    ends: float | None = None
    """The processor time after which no run with values begins."""
    prefix: LayoutTrial | None = None
    """A trial on shapes, for the operations before the first that needs values."""
    lacks_input: Callable[[Exception], bool] = lambda _: False
    """Whether a run has failed because an input is missing."""
    asked: bool = False
    """Whether a rule has refused a run."""
    reaches_values: bool = False
    """Whether a run passes that ends where the module needs values: another trial has them."""
    lengths: Policy | None = None
    """Whether lengths in runs with values are those of full rows, or rise up to them; None where they are 1."""
    indices: set[str] = field(default_factory=set[str])
    """Inputs that index an axis of another one: runs with values have the first place, which also an axis of one has."""
    _spy: RunObserver | None = None

    @classmethod
    def of(cls, module: nn.Module, kind: Kind = "meta", **fields: Any) -> LayoutTrial:
        """Return a trial on a copy of a module."""
        trial = cls(MetaCopy(module, kind), numbers=tuple(_numbers(module)), **fields)
        observe_layers(trial.shadow.module, trial.current)
        return trial

    def current(self) -> RunObserver:
        """Return the observer of the present run."""
        assert self._spy is not None
        return self._spy

    def run(self, layout: InputLayout, *, strict: bool = False, most: int | None = None) -> Run:
        """Run the module once."""
        self.runs += 1
        if self.shadow.real and layout.nbytes > MAX_RUN_BYTES:
            self._spy = RunObserver(layout, {}, check_operands, strict=strict, most=most)
            return Run(layout, self._spy, MemoryLimitError(f"its inputs would take {format_bytes(layout.nbytes)}"))
        tensors = {path: self.shadow.tensor(layout.shape(leaf), leaf.dtype) for path, leaf in layout.leaves.items()}
        if self.shadow.real:
            for path in self.indices & tensors.keys():
                tensors[path].zero_()
        counted = find_counted_axes(layout) if self.lengths is not None and self.shadow.real else {}
        for path, axis in counted.items():
            size, rows = layout.sizes[axis], len(tensors[path])
            tensors[path].fill_(size)
            if self.lengths == "ragged":  # rising, which rows that have to be sorted are not
                tensors[path][:] = torch.linspace(1, size, rows)
        spy = self._spy = RunObserver(layout, tensors, check_operands, strict=strict, most=most)
        error: Exception | None = None
        try:
            with MemoryGuard() if self.shadow.real else nullcontext():
                self.shadow.run(spy, self.positional, {**layout.build(tensors), **self.constants})
        except TimeoutError:  # a caller's own limit, not the module's answer
            raise
        except Exception as caught:  # noqa: BLE001 - a module may raise anything, and the search uses it
            error = caught
            self.asked = self.asked or isinstance(caught, OperandMismatch)
        self.indices |= spy.facts.indices.keys()
        return Run(layout, spy, error, counted, self.lengths or "full")

    def count_operations(self, layout: InputLayout) -> int:
        """Return how many arithmetic operations a run takes, as far as shapes alone bring it."""
        tensors = {path: self.shadow.tensor(layout.shape(leaf), leaf.dtype) for path, leaf in layout.leaves.items()}
        counter = FlopCounterMode(display=False)
        with suppress(Exception):  # where the module needs values
            self.shadow.run(counter, self.positional, {**layout.build(tensors), **self.constants})
        return counter.get_total_flops()

    def passes(self, layout: InputLayout | None, most: int | None = None) -> bool | None:
        """Whether the module takes a layout; None if no run shows it."""
        if layout is None:
            return False
        before = self.prefix.passes(layout, most) if self.prefix is not None else None
        if before is False:
            return False
        if self.ends is not None and time.thread_time() > self.ends:
            return before
        error = self.run(layout, most=most).error
        if error is not None and not self.shadow.real and depends_on_values(error):
            return True if self.reaches_values else None
        if isinstance(error, (RunTooLong, MemoryLimitError)):
            return before
        return error is None


def depends_on_values(error: Exception) -> bool:
    """Whether a run without values ended because the module's way depends on values."""
    return _WORDS.search(f"{type(error).__name__} {error}") is not None


def _numbers(module: nn.Module) -> Iterator[int]:
    """Yield the sizes that a module and its parts name, each once."""
    found: dict[int, None] = {}
    for part in module.modules():
        for name, value in vars(part).items():
            if _NAMED.search(name) and not _INSIDE.search(name):
                for each in value if isinstance(value, (tuple, list)) else (value,):
                    if type(each) is int and 2 <= each <= 4096:
                        found[each] = None
        if len(found) > 12:
            break
    yield from list(found)[:12]
