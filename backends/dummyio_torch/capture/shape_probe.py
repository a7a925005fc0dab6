"""Shape-only runs of a recorded module at other sizes: they show which sizes it takes and what its ids index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from dummyio.errors import DimError, SourceError, SpecError
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim
from dummyio_torch.capture.recorded_calls import Axis, Call, Recorded
from dummyio_torch.capture.recorded_calls import Tree as Seen
from dummyio_torch.discovery.axis_ranges import find_largest_size, find_smallest_size
from dummyio_torch.discovery.layout import Branch, InputLayout, Leaf, Tree
from dummyio_torch.discovery.run_observer import Facts
from dummyio_torch.discovery.runs.layout_trial import LayoutTrial

_FAR = 1 << 14


@dataclass
class Probe:
    """A module that runs at the sizes of a recorded call."""

    trial: LayoutTrial
    layout: InputLayout
    facts: Facts
    most: int

    @classmethod
    def of(cls, module: nn.Module | None, call: Call, constants: Mapping[str, Any]) -> Probe | None:
        """Return a probe; None for a method, and for a module that does not run without values."""
        if module is None:
            return None
        layout = InputLayout()
        trees: list[tuple[str, Tree]] = []
        for name, seen in call.items():
            layout, tree = _tree(layout, seen, name)
            trees.append((name, tree))
        layout = replace(layout, trees=tuple(trees))
        for kind in ("meta", "fake"):
            try:
                trial = LayoutTrial.of(module, kind, constants=dict(constants))
            except SourceError:
                return None
            run = trial.run(layout)
            if run.error is None:
                return cls(trial, layout, run.spy.facts, 20 * run.count + 2000)
        return None

    def takes(self, sizes: Mapping[Axis, int]) -> bool | None:
        """Whether the module takes these sizes of axes, and the recorded ones of all others."""
        new = dict(self.layout.sizes)
        for (path, axis), size in sizes.items():
            new[self.layout.leaves[path].axes[axis]] = size
        return self.trial.passes(replace(self.layout, sizes=new), self.most)

    def bound_dims(self, spec: InputSpec, vectors: Mapping[Axis, tuple[int, ...]]) -> InputSpec:
        """Return the spec with each dim bounded by the sizes that the module takes, instead of those that were recorded."""
        for name, dim in spec.dims.items():
            wide = spec.with_dims(**{name: Dim(name, dim.size, 0 if dim.min == 0 else 1)})

            def fits(size: int, wide: InputSpec = wide, name: str = name) -> bool | None:
                try:
                    shapes = wide.shapes({**wide.sizes(), name: size})
                except (DimError, SpecError):
                    return False
                return self.takes({(path, axis): shapes[path][axis] for path, axis in vectors})

            if not fits(dim.size) or not fits(dim.size + 1):
                continue  # what was seen is all that is known
            low = dim.min if fits(1) is None else 1 if fits(1) else find_smallest_size(fits, 1, dim.size)
            low = 0 if dim.min == 0 else low
            high = None if fits(_FAR) is not False else find_largest_size(fits, dim.size, _FAR)
            leaves = dict(spec.leaves)
            axes = [each for each in vectors if leaves[each[0]].shape[each[1]] == dim]
            for path, axis in axes:
                limit = self.facts.limits.get(self.layout.leaves[path].axes[axis])
                high = limit if limit is not None and (high is None or limit < high) else high
            seen = [dim.size, *(size for each in axes for size in vectors[each])]  # the spec takes them in any case
            most = None if high is None else max(high, *seen)
            spec = spec.with_dims(**{name: Dim(name, dim.size, min(low, *seen), most)})
        return spec


def _tree(layout: InputLayout, seen: Seen, path: str, *, inside: bool = False) -> tuple[InputLayout, Tree]:
    if isinstance(seen, Recorded):
        axes: list[int] = []
        for size in seen.shape:
            layout, axis = layout.new_axis(size=size)
            axes.append(axis)
        return layout, Leaf(path, seen.dtype, tuple(axes))
    items: list[tuple[str, Tree]] = []
    for key, item in seen.items:
        layout, tree = _tree(layout, item, f"{path}.{key}", inside=seen.kind == "cache")
        items.append((key, tree))
    kind: Any = "tuple" if inside else seen.kind
    return layout, Branch(kind, tuple(items))
