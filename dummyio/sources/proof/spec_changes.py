"""Changes of a spec's tensors."""

from collections.abc import Callable, Collection, Mapping

import msgspec

from dummyio.input_spec import InputSpec
from dummyio.sources.axis_names import IMAGE_RANK
from dummyio.spec.dims import Dim, find_dims
from dummyio.spec.tensor_spec import TensorSpec, map_node
from dummyio.spec.values import Lengths, PaddingMask, get_mask_path


def map_leaves(spec: InputSpec, function: Callable[[str, TensorSpec], TensorSpec]) -> InputSpec:
    """Return a spec with a function of path and tensor applied to each tensor."""
    ordered = iter([function(path, leaf) for path, leaf in spec.leaves])
    inputs = {name: map_node(node, lambda _: next(ordered)) for name, node in spec.items()}
    return InputSpec(inputs, task=spec.task, outputs=spec.outputs, provenance=spec.provenance, proof=spec.proof)


def remove_inputs(spec: InputSpec, names: Collection[str]) -> InputSpec:
    """Return the spec without some inputs; what follows a mask that is removed follows none, lengths count its last axis instead."""
    gone = {path for path, _ in spec.leaves if path.partition(".")[0] in names}
    known = dict(spec.leaves)

    def free(_: str, leaf: TensorSpec) -> TensorSpec:
        mask = get_mask_path(leaf.values)
        if mask not in gone:
            return leaf
        counted = {"size": str(known[mask].shape[-1])} if isinstance(leaf.values, Lengths) else {}
        return leaf.replace(values=msgspec.structs.replace(leaf.values, mask=None, **counted))

    inputs = {name: node for name, node in map_leaves(spec, free).items() if name not in names}
    return InputSpec(inputs, task=spec.task, outputs=spec.outputs, provenance=spec.provenance, proof=spec.proof)


def format_change(old: InputSpec, new: InputSpec) -> str:
    """Return the tensors that differ between two specs, as text."""
    known = dict(old.leaves)
    parts = [f"{path} {leaf}" for path, leaf in new.leaves if known.get(path) != leaf]
    parts += [f"without {path}" for path in known if path not in dict(new.leaves)]
    parts += [f"{dim!r}" for name, dim in new.dims.items() if old.dims.get(name) != dim]
    return "; ".join(parts)[:400]


def has_padding(spec: InputSpec) -> bool:
    """Whether a spec has a mask of padding."""
    return any(isinstance(leaf.values, PaddingMask) for _, leaf in spec.leaves)


def turn_padding(spec: InputSpec) -> InputSpec:
    """Return the spec with its padding on the other side."""

    def turn(_: str, leaf: TensorSpec) -> TensorSpec:
        rule = leaf.values
        if not isinstance(rule, PaddingMask):
            return leaf
        return leaf.replace(values=msgspec.structs.replace(rule, side="left" if rule.side == "right" else "right"))

    return map_leaves(spec, turn)


def shrink_images(spec: InputSpec, given: Collection[str]) -> InputSpec:
    """Return the spec with images and videos of half the edges and frames, but for sizes that a caller gives."""
    places = (size for _, leaf in spec.leaves if leaf.rank >= IMAGE_RANK for size in leaf.shape[1:])
    dims = {dim.name: dim for size in places for dim in find_dims(size)}
    halves = {
        name: next((size for size in range(dim.size // 2, dim.min - 1, -1) if dim.takes(size)), dim.size)
        for name, dim in dims.items()
        if name not in given and not dim.fixed
    }
    return spec.with_dims(**halves)


def fix_sizes(spec: InputSpec, sizes: Mapping[str, int]) -> InputSpec:
    """Return the spec with all dims static, at these sizes."""
    whole = spec.sizes(**sizes)
    return spec.with_dims(**{name: Dim.static(name, size) for name, size in whole.items()})
