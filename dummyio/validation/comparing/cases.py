"""The cases of a validation: all sizes of the probe plan, and other values and masks at its first sizes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import numpy as np

from dummyio.input_spec import InputSpec
from dummyio.materialize.generate import feeds
from dummyio.running.runner import Runner
from dummyio.spec.tensor_spec import TensorSpec, map_node
from dummyio.spec.values import (
    Indices,
    Lengths,
    Normal,
    PaddingMask,
    Rule,
    TokenIds,
    Uniform,
    get_padding_value,
    substitute_rule_dims,
)
from dummyio.typing import Array
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
        named = [msgspec.structs.replace(case, seed=self.seed, sample=number) for number, case in enumerate(cases)]
        # A case that changes the masks keeps the values of the first, so that only one thing differs.
        return [msgspec.structs.replace(case, sample=0) if case.side or case.policy else case for case in named]

    def feeds(self, case: Case) -> dict[str, Array]:
        """Return path → input of a case; the caller owns the arrays."""
        values = feeds(self._variant(case), case.seed, case.sample, case.sizes)
        if case.values == "ends":
            for path, leaf in self.spec.leaves:
                _put_ends(leaf, values[path], self.find_rule(leaf, case))
        if case.values in ("pads", "specials"):
            for path, leaf in self.spec.leaves:
                _put_specials(leaf, values, path, pads=case.values == "pads")
        if case.values == "magnitudes":
            for path, leaf in self.spec.leaves:
                if isinstance(leaf.values, Normal):
                    _spread_magnitudes(values[path])
        if case.values == "hidden_row":
            for path, leaf in find_padding_masks(self.spec).items():
                values[path][-1] = get_padding_value(leaf.values)
        return values

    def find_rule(self, leaf: TensorSpec, case: Case) -> Rule:
        """Return the rule of a tensor with the sizes of the case in place of expressions of dims."""
        return substitute_rule_dims(leaf.values, self.spec.dims, case.sizes)

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


def find_padding_masks(spec: InputSpec) -> Mapping[str, TensorSpec]:
    """Return path → tensor of the padding masks."""
    return {path: leaf for path, leaf in spec.leaves if isinstance(leaf.values, PaddingMask)}


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


def _put_ends(leaf: TensorSpec, values: Array, rule: Rule | None) -> None:
    """Replace the last and the first drawn value by the smallest and the largest value of the range."""
    if isinstance(leaf.values, TokenIds):
        pad = None if leaf.values.mask is None else leaf.values.pad
        taken = {pad, leaf.values.first, leaf.values.last, *(run.id for run in leaf.values.runs)}
        ends = _ordinary_ids(leaf.values, taken)
    elif isinstance(leaf.values, Uniform) and leaf.dtype.kind in ("int", "uint"):
        taken, ends = set(), (int(leaf.values.high) - 1, int(leaf.values.low))
    elif isinstance(rule, Lengths) and rule.size is not None and rule.policy == "ragged":
        taken, ends = set(), (int(rule.size), min(rule.least, int(rule.size)))
    elif isinstance(rule, Indices) and rule.order == "random" and int(rule.size) > 0:
        taken, ends = set(), (int(rule.size) - 1, 0)
    else:
        return
    flat = values.reshape(-1)
    drawn = np.flatnonzero(~np.isin(flat, [number for number in taken if number is not None]))
    if drawn.size and ends:
        flat[drawn[-1]], flat[drawn[0]] = ends[1], ends[0]


def _put_specials(leaf: TensorSpec, values: dict[str, Array], path: str, *, pads: bool) -> None:
    """Put ids with a special meaning where a text has others: twice in a row in the first row, all over the last one.

    Placeholders stay as many as there are; beside them, only the ids of pads and ends are put, since others may be placeholders of media that
    the inputs do not have.
    """
    rule = leaf.values
    if not isinstance(rule, TokenIds) or leaf.rank < 2:
        return
    ends = {rule.first, rule.last}
    special = (
        [rule.pad]
        if pads
        else [number for number in (() if rule.runs else rule.reserved) if number not in {rule.pad, *ends}]
    )
    kept = np.isin(
        values[path], [run.id for run in rule.runs] + [number for number in ends if number is not None], invert=True
    )
    if rule.mask is not None and values[rule.mask].shape == kept.shape:
        kept &= values[rule.mask].astype(bool)
    rows, free = values[path].reshape(-1, kept.shape[-1]), kept.reshape(-1, kept.shape[-1])
    places = np.flatnonzero(free[0])[1:]
    for number, place in zip(special * 2, places[::3], strict=False):
        rows[0, [place, *places[places == place + 1]]] = number
    if special and len(rows) > 1:
        last = np.flatnonzero(free[-1])
        rows[-1, last] = np.resize(special, last.size)


def _spread_magnitudes(values: Array) -> None:
    """Make one channel of real numbers 16 times as large, one 1024 times as small, and the last row constant, so that scores tie."""
    channels = np.moveaxis(values, 1 if values.ndim > 3 else -1, 0) if values.ndim else values.reshape(1)
    channels[0] *= 16
    if len(channels) > 2:
        channels[1] /= 1024
    if values.ndim > 1 and len(values) > 1:
        values[-1] = values[-1].reshape(-1)[-1]


def _ordinary_ids(rule: TokenIds, taken: set[Any]) -> tuple[int, int] | None:
    """Return the highest and the lowest id without a special meaning."""
    barred = {*taken, *rule.reserved}
    high = next((number for number in range(rule.high - 1, rule.low - 1, -1) if number not in barred), None)
    low = next((number for number in range(rule.low, rule.high) if number not in barred), None)
    return None if high is None or low is None else (high, low)
