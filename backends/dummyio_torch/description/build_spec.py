"""From a layout that works to an `InputSpec`: symbols and their names, rules, and how it is all known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim, Size
from dummyio.spec.tensor_spec import Nest, Node, TensorSpec
from dummyio_torch.discovery.axis_ranges import Range
from dummyio_torch.discovery.input_roles import ValueRuleChooser, affix, is_mask
from dummyio_torch.discovery.layout import Branch, InputLayout, Tree
from dummyio_torch.discovery.search import Run
from dummyio_torch.dtypes import from_native

__all__ = ["Provenance", "build_spec"]

_SIZES = {"batch_size": 2, "sequence_length": 16, "height": 64, "width": 64}
_SAID = ("height", "width", "depth", "sequence_length", "num_channels")
"""Axes that have a name even where they have one size only."""


class Provenance:
    """How things are known, for people."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.most: dict[str, int] = {}

    def add(self, key: str, text: str) -> None:
        """Add a note."""
        if text not in self.texts.get(key, ""):
            self.texts[key] = f"{self.texts[key]}; {text}" if key in self.texts else text


def build_spec(
    run: Run,
    sizes: Mapping[int, Range],
    chosen: Mapping[str, Any],
    wanted: Mapping[str, Any],
    notes: Provenance,
    provenance: Mapping[str, str],
) -> InputSpec:
    """Return the spec of a layout that works."""
    axes = _axes(run, sizes, wanted)
    leaves = run.layout.leaves
    tensors = {
        path: TensorSpec(path, [axes[a] for a in leaf.axes], from_native(leaf.dtype)) for path, leaf in leaves.items()
    }
    values = ValueRuleChooser(run.spy.facts, chosen.get("padding_side", "right"), chosen.get("mask_policy", "ragged"))
    values.most = notes.most
    rules = values.rules(tensors)
    final = {path: tensor.replace(values=rules[path]) for path, tensor in tensors.items()}
    for path in leaves:
        how = "the module uses it" if path in run.spy.facts.used else "the module does not use it; a guess by its name"
        notes.add(f"input {path}", how)
        if path in values.notes:
            notes.add(f"input {path}", values.notes[path])
    for text in _limits(run, axes):
        notes.add("limits", text)
    return InputSpec(
        {name: _node(tree, name, final) for name, tree in run.layout.trees}, provenance={**provenance, **notes.texts}
    )


def _limits(run: Run, axes: Mapping[int, Size]) -> list[str]:
    return [
        f"{axes[a]} <= {n}: rows of a table" for a, n in run.spy.facts.limits.items() if isinstance(axes.get(a), Dim)
    ]


def _node(tree: Tree, path: str, tensors: Mapping[str, TensorSpec]) -> Node:
    if isinstance(tree, Branch):
        return Nest.of(tree.kind, {key: _node(item, f"{path}.{key}", tensors) for key, item in tree.items})
    return tensors[tree.path].replace(name=path.rpartition(".")[2])


def _axes(run: Run, sizes: Mapping[int, Range], wanted: Mapping[str, Any]) -> dict[int, Size]:
    """Return the size, or the symbol, of every variable."""
    layout, found, used = run.layout, dict[int, Size](), set[str]()
    for path, leaf in layout.leaves.items():
        for place, axis in enumerate(leaf.axes):
            if axis in found:
                continue
            size, span = layout.sizes[axis], sizes.get(axis)
            name = _name(run, path, place, axis, free=span is not None)
            if span is None and (name not in _SAID or name in used):
                found[axis] = size
                continue
            name = _unique(name, path, used)
            used.add(name)
            found[axis] = Dim(name, size, size, size) if span is None else _dim(name, size, span, wanted)
    return found


def _dim(name: str, size: int, span: Range, wanted: Mapping[str, Any]) -> Dim:
    usual = next((s for n, s in _SIZES.items() if name.endswith(n)), size)
    given = wanted.get(name)
    usual = given if type(given) is int else usual
    usual = max(usual, span.min)
    usual = usual if span.max is None else min(usual, span.max)
    usual = -(-usual // span.step) * span.step
    if span.max is not None and usual > span.max:
        usual = span.max // span.step * span.step
    return Dim(name, usual, span.min, span.max, span.step)


def _name(run: Run, path: str, place: int, axis: int, *, free: bool) -> str:
    """Return what an axis is: what the caller or a layer says, else by its place."""
    layout: InputLayout = run.layout
    said = next((name for name, variable in layout.named if variable == axis), None)
    if said is not None:
        return said
    named = run.spy.facts.names.get(axis)
    if named is not None and (layout.leaves[path].dtype.is_floating_point or "sequence" in named or "batch" in named):
        return _of_part(named, path)
    leaf = layout.leaves[path]
    rank = len(leaf.axes)
    if axis in layout.batches or (place == 0 and free):
        return "batch_size"
    if rank >= 4 and place >= rank - 2 and leaf.dtype.is_floating_point:
        return ("height", "width")[place - rank + 2]
    if not free and place == rank - 1:
        return "features"
    if free and (place == 1 or is_mask(path)):
        return _of_part("sequence_length", path)
    return f"{path.replace('.', '_')}_size_{place}"


def _of_part(name: str, path: str) -> str:
    part = affix(path.split(".", maxsplit=1)[0])
    return f"{part}_{name}" if part and name == "sequence_length" else name


def _unique(name: str, path: str, used: set[str]) -> str:
    if name not in used:
        return name
    longer = f"{path.replace('.', '_')}_{name}"
    number = 2
    while longer in used or not longer.isidentifier():
        longer = f"{name}_{number}"
        number += 1
    return longer
