"""The cases of a validation: all sizes of the probe plan, and other values and masks at its first sizes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from dummyio.input_spec import InputSpec
from dummyio.materialize.generate import feeds
from dummyio.running.runner import Runner
from dummyio.spec.tensor_spec import TensorSpec, map_node
from dummyio.spec.values import Normal, PaddingMask, TokenIds
from dummyio.typing import Array
from dummyio.validation.comparing.case_values import change_values, find_padding_masks, may_be_large
from dummyio.validation.comparing.thresholds import BATCH, plan_thresholds
from dummyio.validation.data.records import Case


@dataclass
class Cases:
    """The cases of a spec, and the feeds of each."""

    spec: InputSpec
    seed: int = 0
    stated: tuple[int, ...] = ()
    """Sizes at which the model may behave otherwise."""
    is_calibrated: bool = False
    """Whether numbers beyond those of usual inputs saturate on purpose: then no case has them."""
    has_large: bool = False
    """Whether a case has large numbers alone: not if they overflow in half precision, or a tolerance was given for usual ones."""
    _variants: dict[Any, InputSpec] = field(default_factory=dict)

    def plan(self) -> list[Case]:
        """Return all cases. The others vary the first one, whose sizes are pairwise distinct."""
        probes = self.spec.probes()
        cases = [
            Case(_difference(probes[0], sizes) if number > 1 else ("distinct sizes", "other sizes")[number], sizes)
            for number, sizes in enumerate(probes)
        ]
        first = probes[0]
        if self.spec.leaves:
            cases += [Case("other values", first), Case("ends of ranges", first, values="ends")]
        masks = find_padding_masks(self.spec)
        if masks:
            sides = {leaf.values.side for leaf in masks.values() if isinstance(leaf.values, PaddingMask)}
            other: Literal["left", "right"] = "left" if "right" in sides else "right"
            cases += [
                Case(f"padded on the {other}", first, side=other),
                Case("nothing padded", first, policy="full"),
                Case("shortest rows", first, policy="shortest"),
            ]
            if first.get(BATCH, 1) > 1:
                cases.append(Case("a row all padding", first, values="hidden_row"))
        planned = [case.sizes for case in cases]
        further = (sizes for sizes in plan_thresholds(self.spec, first, self.stated) if sizes not in planned)
        cases += [Case(_difference(first, sizes), sizes) for sizes in further]
        if any(isinstance(leaf.values, TokenIds) for _, leaf in self.spec.leaves):
            cases += [
                Case("pad ids in a text", first, values="pads"),
                Case("special ids in a text", first, values="specials"),
            ]
        if not self.is_calibrated and any(isinstance(leaf.values, Normal) for _, leaf in self.spec.leaves):
            cases.append(Case("magnitudes", first, values="magnitudes"))
        if self.has_large and any(may_be_large(leaf) for _, leaf in self.spec.leaves):
            cases.append(Case("large numbers", first, values="large"))
        named = [msgspec.structs.replace(case, seed=self.seed, sample=number) for number, case in enumerate(cases)]
        # A case that changes the masks keeps the values of the first, so that only one thing differs.
        return [msgspec.structs.replace(case, sample=0) if case.side or case.policy else case for case in named]

    def feeds(self, case: Case) -> dict[str, Array]:
        """Return path → input of a case; the caller owns the arrays."""
        values = feeds(self._variant(case), case.seed, case.sample, case.sizes)
        change_values(self.spec, case, values)
        return values

    def _variant(self, case: Case) -> InputSpec:
        """Return the spec with the masks of the case."""
        key = (case.side, case.policy)
        if key == (None, None):
            return self.spec
        if key not in self._variants:
            changes = {name: value for name, value in zip(("side", "policy"), key, strict=True) if value is not None}

            def changed(leaf: TensorSpec) -> TensorSpec:
                if not isinstance(leaf.values, PaddingMask):
                    return leaf
                return leaf.replace(values=msgspec.structs.replace(leaf.values, **changes))

            inputs = {name: map_node(node, changed) for name, node in self.spec.items()}
            self._variants[key] = InputSpec(inputs, task=self.spec.task, outputs=self.spec.outputs)
        return self._variants[key]


def find_batch_axis(leaf: TensorSpec) -> int | None:
    """Return the axis of the rows of a batch; None if no axis, or more than one, has the batch size."""
    axes = [axis for axis, size in enumerate(leaf.shape) if str(size) == BATCH]
    return axes[0] if len(axes) == 1 else None


def find_row_axes(spec: InputSpec, sizes: Mapping[str, int], found: Mapping[str, Array]) -> dict[str, int]:
    """Return output → the axis of its rows: from the spec, else the first axis if it has the batch size."""
    known = {output.name: output.shape for output in spec.outputs if output.shape is not None}
    axes = {}
    for name, values in found.items():
        shape = known.get(name)
        axis = 0 if values.ndim else None
        if shape is not None and len(shape) == values.ndim:
            axis = next((place for place, size in enumerate(shape) if str(size) == BATCH), None)
        if axis is not None and values.shape[axis] == sizes.get(BATCH):
            axes[name] = axis
    return axes


def propose_sizes(spec: InputSpec, actual: Runner, sizes: Mapping[str, int]) -> Iterator[tuple[str, dict[str, int]]]:
    """Yield name and sizes of cases that the artifact may have been exported with: declared sizes, the spec's defaults."""
    fixed = dict(spec.sizes())
    for port in actual.inputs or ():
        leaf = dict(spec.leaves).get(port.name)
        for declared_size, size in zip(port.shape or (), leaf.shape if leaf is not None else (), strict=False):
            if isinstance(declared_size, int) and str(size) in fixed:
                fixed[str(size)] = declared_size
    seen = [dict(sizes)]
    for name, other in (("declared sizes", fixed), ("default sizes", dict(spec.sizes()))):
        if other not in seen and all(spec.dims[dim].takes(size) for dim, size in other.items()):
            seen.append(other)
            yield name, other


def _difference(first: Mapping[str, int], sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{name}={size}" for name, size in sizes.items() if first[name] != size) or "same sizes"
