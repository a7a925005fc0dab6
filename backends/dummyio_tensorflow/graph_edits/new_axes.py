"""Slices that add axes, such as ``x[..., None]``, as slices and ``ExpandDims``: TFLite takes the first with fixed sizes only."""

from typing import Any

import tensorflow as tf

_MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "shrink_axis_mask")


def expand_dims_in_slices(nodes: Any, reference: str) -> None:
    """Replace slices that add axes in the nodes of a graph or of a function, which refers to results by `reference`.

    Slices whose bounds are computed stay as they are.
    """
    constants = {node.name: node for node in nodes if node.op == "Const"}
    for node in [each for each in nodes if each.op == "StridedSlice" and each.attr["new_axis_mask"].i]:
        sources = [constants.get(name.partition(":")[0]) for name in node.input[1:4]]
        if all(source is not None for source in sources):
            bounds = [tf.make_ndarray(source.attr["value"].tensor) for source in sources if source is not None]
            _expand(nodes, node, bounds, reference)


def _expand(nodes: Any, node: Any, bounds: list[Any], reference: str) -> None:
    entries = range(len(bounds[0]))
    masks = {name: node.attr[name].i for name in _MASKS}
    added = [
        entry
        for entry in entries
        if node.attr["new_axis_mask"].i >> entry & 1 and not _has(masks, "ellipsis_mask", entry)
    ]
    kept = [entry for entry in entries if entry not in added]
    axes = _find_axes(added, kept, masks)
    value, waited = node.input[0], [name for name in node.input if name.startswith("^")]
    if not all(_takes_all(masks, entry, int(bounds[2][entry])) for entry in kept):
        value = _slice(
            nodes, node, [bound[kept] for bound in bounds], {k: _select(m, kept) for k, m in masks.items()}, reference
        )
    kind, name = node.attr["T"], node.name
    nodes.remove(node)
    for place, axis in enumerate(axes):
        last = place == len(axes) - 1
        constant = _add_constant(nodes, f"{name}/axis_{place}", tf.make_tensor_proto(axis, tf.int32))
        new = nodes.add(name=name if last else f"{name}/expanded_{place}", op="ExpandDims")
        new.attr["T"].CopyFrom(kind)
        new.attr["Tdim"].type = tf.int32.as_datatype_enum
        new.input.extend([value, reference.format(constant, "output"), *(waited if last else ())])
        value = reference.format(new.name, "output")


def _find_axes(added: list[int], kept: list[int], masks: dict[str, int]) -> list[int]:
    """Return the axes to add, in an order in which each is right when it is its turn: from the front, and after an ellipsis from the end."""
    ellipsis = next((entry for entry in kept if _has(masks, "ellipsis_mask", entry)), max([*added, *kept]) + 1)
    stays = [entry for entry in (*kept, *added) if not (_has(masks, "shrink_axis_mask", entry) and entry not in added)]
    before = [sum(other < entry for other in stays) for entry in added if entry < ellipsis]
    after = [-1 - sum(other > entry for other in stays) for entry in reversed(added) if entry > ellipsis]
    return [*before, *after]


def _slice(nodes: Any, node: Any, bounds: list[Any], masks: dict[str, int], reference: str) -> str:
    """Add the slice without the new axes, and return its result."""
    new = nodes.add(name=f"{node.name}/sliced", op="StridedSlice")
    for name in ("T", "Index"):
        new.attr[name].CopyFrom(node.attr[name])
    for name in (*_MASKS, "new_axis_mask"):
        new.attr[name].i = masks.get(name, 0)
    new.input.append(node.input[0])
    for place, bound in enumerate(bounds):
        constant = _add_constant(nodes, f"{new.name}/bound_{place}", tf.make_tensor_proto(bound))
        new.input.append(reference.format(constant, "output"))
    return reference.format(new.name, "output")


def _add_constant(nodes: Any, name: str, value: Any) -> str:
    node = nodes.add(name=name, op="Const")
    node.attr["dtype"].type = value.dtype
    node.attr["value"].tensor.CopyFrom(value)
    return name


def _has(masks: dict[str, int], name: str, entry: int) -> bool:
    return bool(masks[name] >> entry & 1)


def _takes_all(masks: dict[str, int], entry: int, stride: int) -> bool:
    if _has(masks, "ellipsis_mask", entry):
        return True
    whole = _has(masks, "begin_mask", entry) and _has(masks, "end_mask", entry)
    return whole and stride == 1 and not _has(masks, "shrink_axis_mask", entry)


def _select(mask: int, entries: list[int]) -> int:
    """Return a mask of some entries, which move together."""
    return sum(1 << place for place, entry in enumerate(entries) if mask >> entry & 1)
