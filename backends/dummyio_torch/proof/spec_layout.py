"""A spec as the layout of a search, and the spec again after the search has changed the layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from dummyio.input_spec import InputSpec
from dummyio.sources.axis_names import make_unique, name_axis
from dummyio.spec.dims import Dim, Size, is_static, substitute_dims
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import Nest, Node, TensorSpec
from dummyio.spec.values import Rule, get_mask_path
from dummyio_torch.discovery.input_roles import ValueRuleChooser
from dummyio_torch.discovery.layout import BATCH, Branch, InputLayout, Leaf, Tree
from dummyio_torch.discovery.run_observer import Facts
from dummyio_torch.dtypes import from_native, to_native

_VIDEO_RANK = 5
_VIDEO = {1: "num_channels", 2: "num_frames"}
"""The axes of a video before its height and width, where no layer names them."""


@dataclass(frozen=True)
class SpecLayout:
    """A spec, and its layout at some sizes: equal sizes of a spec are one variable."""

    spec: InputSpec
    layout: InputLayout
    sizes: Mapping[int, Size]
    """Variable → the size that it stands for in the spec."""


def to_layout(spec: InputSpec, sizes: Mapping[str, int], taken: frozenset[int] = frozenset()) -> SpecLayout:
    """Return the layout of a spec at these sizes; each number of a shape is a variable of its own.

    Parameters
    ----------
    spec, sizes
        The spec and the sizes of all its dims.
    taken
        Sizes that occur in the module's own weights.
    """
    known: dict[Size, int] = {}
    numbers: dict[int, int] = {BATCH: sizes.get("batch_size", 2)}
    origins: dict[int, Size] = {}
    batches = {BATCH}

    def variable(size: Size, value: int) -> int:
        if size in known and not is_static(size):
            return known[size]
        number = BATCH if isinstance(size, Dim) and size.name == "batch_size" else len(numbers)
        numbers[number], origins[number], known[size] = value, size, number
        if isinstance(size, Dim) and size.name.endswith("batch_size"):
            batches.add(number)
        return number

    def tree(node: Node, path: str) -> Tree:
        if isinstance(node, Nest):
            return Branch(node.kind, tuple((key, tree(item, f"{path}.{key}")) for key, item in node.items))
        axes = tuple(map(variable, node.shape, node.sizes(sizes)))
        return Leaf(path, to_native(node.dtype), axes)

    trees = tuple((name, tree(node, name)) for name, node in spec.items())
    layout = InputLayout(trees, numbers, batches=frozenset(batches), taken=taken)
    return SpecLayout(spec, layout, origins)


def apply_layout(before: SpecLayout, after: InputLayout, facts: Facts) -> InputSpec:
    """Return the spec with the inputs, ranks, dtypes and sizes of a layout that a search has made of its own.

    A size that the search has changed becomes a number, as has every expression of its dim; a new axis gets a name by its place.
    """
    used = set(before.spec.dims)
    sizes: dict[int, Size] = {}
    fixed: dict[str, Dim] = {}
    for number, size in before.sizes.items():
        value = after.sizes[number]
        if value != before.layout.sizes[number] or (number in after.fixed and isinstance(size, Dim)):
            if isinstance(size, Dim):
                fixed[size.name] = Dim(size.name, value) if number in after.guessed else Dim.static(size.name, value)
            sizes[number] = value
        else:
            sizes[number] = size
    for number, size in sizes.items():
        origin = before.sizes[number]
        sizes[number] = fixed[origin.name] if isinstance(origin, Dim) and origin.name in fixed else size
        if not isinstance(size, int):
            sizes[number] = substitute_dims(size, fixed)
    old = dict(before.spec.leaves)
    for number in _find_renamed(before, after):  # a shape with another rank has axes of other kinds
        size = sizes.pop(number)
        used -= {size.name} if isinstance(size, Dim) else set()
    tensors: dict[str, TensorSpec] = {}
    for path, leaf in after.leaves.items():
        shape = [_size(path, leaf, place, after, sizes, used, facts.names) for place in range(len(leaf.axes))]
        known, dtype = old.get(path), from_native(leaf.dtype)
        keeps = known is not None and known.dtype == dtype and known.rank == len(shape)
        tensors[path] = TensorSpec(path, shape, dtype, known.values if keeps and known is not None else None)
    new = {
        path: tensor
        for path, tensor in tensors.items()
        if path not in old or old[path].dtype != tensor.dtype or old[path].rank != tensor.rank
    }
    rules = ValueRuleChooser(facts, {}, {}, {}).rules(tensors)
    final = {path: tensor.replace(values=_rule(path, tensors, rules, new)) for path, tensor in tensors.items()}
    outputs = tuple(output for output in before.spec.outputs if _is_known(output, fixed))
    return InputSpec(
        {name: _build_node(tree, name, final) for name, tree in after.trees},
        task=before.spec.task,
        outputs=outputs,
        provenance=before.spec.provenance,
    )


def _is_known(output: OutputSpec, fixed: Mapping[str, Dim]) -> bool:
    """Whether an output's shape is not affected by sizes that are now fixed."""
    return not any(isinstance(size, Dim) and size.name in fixed for size in output.shape or ())


def _rule(
    path: str, tensors: Mapping[str, TensorSpec], rules: Mapping[str, Rule], new: Mapping[str, TensorSpec]
) -> Rule:
    """Return the rule of an input: its own, unless it or its mask has changed."""
    own = tensors[path].values
    mask = get_mask_path(own)
    if path in new:
        return rules[path]
    if mask is None or (
        mask in tensors
        and tensors[mask].rank == tensors[path].rank
        and tensors[mask].shape[:-1] == tensors[path].shape[:-1]
    ):
        return own
    return _without_mask(own)


def _without_mask(rule: Rule) -> Rule:
    return msgspec.structs.replace(rule, mask=None)


def _name_by_place(path: str, leaf: Leaf, place: int) -> str:
    if leaf.dtype.is_floating_point and len(leaf.axes) == _VIDEO_RANK and place in _VIDEO:
        return _VIDEO[place]
    return name_axis(path, place, len(leaf.axes), floating=leaf.dtype.is_floating_point)


def _find_renamed(before: SpecLayout, after: InputLayout) -> set[int]:
    """Return the axes, but for batches, that occur only in tensors whose rank has changed."""
    new, old = after.leaves, before.layout.leaves
    kept = {
        axis
        for path, leaf in new.items()
        if path in old and len(leaf.axes) == len(old[path].axes)
        for axis in leaf.axes
    }
    changed = {
        axis
        for path, leaf in new.items()
        if path in old and len(leaf.axes) != len(old[path].axes)
        for axis in leaf.axes
    }
    return {
        axis
        for axis in changed - kept - after.batches
        if axis in before.sizes and not isinstance(before.sizes[axis], int)
    }


def _size(
    path: str,
    leaf: Leaf,
    place: int,
    layout: InputLayout,
    sizes: dict[int, Size],
    used: set[str],
    names: Mapping[int, str],
) -> Size:
    axis = leaf.axes[place]
    if axis not in sizes:
        value = layout.sizes[axis]
        if axis in layout.fixed:
            sizes[axis] = value
        else:
            name = make_unique(names.get(axis) or _name_by_place(path, leaf, place), used, path)
            sizes[axis] = Dim(name, value)
    return sizes[axis]


def _build_node(tree: Tree, path: str, tensors: Mapping[str, TensorSpec]) -> Node:
    if isinstance(tree, Branch):
        return Nest.of(tree.kind, {key: _build_node(item, f"{path}.{key}", tensors) for key, item in tree.items})
    return tensors[tree.path].replace(name=path.rpartition(".")[2])
