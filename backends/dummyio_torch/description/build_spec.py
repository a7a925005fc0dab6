"""From a layout that works to an `InputSpec`: dims and their names, value rules, and how each is known."""

import re
from collections.abc import Mapping
from typing import Any

from dummyio.input_spec import InputSpec
from dummyio.sources.axis_names import IMAGE_RANK, make_unique, name_axis, prefix_part
from dummyio.sources.input_names import is_embeddings, is_wave
from dummyio.spec.default_sizes import find_default_size
from dummyio.spec.dims import Dim, Size
from dummyio.spec.tensor_spec import Nest, Node, TensorSpec
from dummyio.spec.values import Columns, Indices, Lengths
from dummyio_torch.discovery.axis_ranges import Range
from dummyio_torch.discovery.input_roles import ValueRuleChooser
from dummyio_torch.discovery.layout import BATCH, Branch, Tree
from dummyio_torch.discovery.runs.columns import find_columns
from dummyio_torch.discovery.runs.layout_trial import Run
from dummyio_torch.dtypes import from_native

_ALWAYS_NAMED = ("height", "width", "depth", "sequence_length", "num_channels")
"""Axes that have a name even if they have one size only."""


class Provenance:
    """How each fact is known, for people; and the limits that runs with values have shown."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.highest: dict[str, int] = {}
        """Input → the number that its ids stay below."""

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
    values = ValueRuleChooser(run.spy.facts, chosen, notes.highest, _shown_rules(run, axes, chosen))
    rules = values.rules(tensors)
    final = {path: tensor.replace(values=rules[path]) for path, tensor in tensors.items()}
    for path in leaves:
        how = "the module uses it" if path in run.spy.facts.used else "the module does not use it; a guess by its name"
        notes.add(f"input {path}", how)
        if path in values.notes:
            notes.add(f"input {path}", values.notes[path])
    for axis, most in run.spy.facts.limits.items():
        if isinstance(axes.get(axis), Dim):
            notes.add("limits", f"{axes[axis]} <= {most}: rows of a table")
    return InputSpec(
        {name: _build_node(tree, name, final) for name, tree in run.layout.trees},
        provenance={**provenance, **notes.texts},
    )


def _shown_rules(
    run: Run, axes: Mapping[int, Size], chosen: Mapping[str, Any]
) -> dict[str, Lengths | Indices | Columns]:
    """Return the rules of inputs that count or index an axis of another, or index a table with each column."""

    def refer(axis: int) -> int | str:
        size = axes[axis]
        return size if isinstance(size, int) else str(size)

    policy = chosen.get("mask_policy", run.policy)
    facts = run.spy.facts
    lengths = {
        path: Lengths(refer(axis), least=_find_least(axes[axis]), policy=policy)
        for path, axis in run.lengths.items()
        if axis in axes
    }
    indices = {
        path: Indices(refer(axis), "starts" if path in facts.starts else "random")
        for path, axis in facts.indices.items()
        if axis is not None and axis in axes
    }
    return {**indices, **lengths, **_list_columns(run)}


def _find_least(size: Size) -> int:
    """Return the least length of a row: the module takes no shorter rows alone."""
    return max(size.min, 1) if isinstance(size, Dim) and not size.fixed else 1


def _list_columns(run: Run) -> dict[str, Columns]:
    """Return the rules of inputs of which each column indexes a table of its own."""

    def count(path: str, axis: int) -> int:
        return run.layout.sizes[run.layout.leaves[path].axes[axis]]

    found = find_columns(run.spy.facts).items()
    return {
        path: rule for path, rule in found if len(set(rule.highs)) > 1 and count(path, rule.axis) == len(rule.highs)
    }


def _build_node(tree: Tree, path: str, tensors: Mapping[str, TensorSpec]) -> Node:
    if isinstance(tree, Branch):
        return Nest.of(tree.kind, {key: _build_node(item, f"{path}.{key}", tensors) for key, item in tree.items})
    return tensors[tree.path].replace(name=path.rpartition(".")[2])


def _axes(run: Run, ranges: Mapping[int, Range], wanted: Mapping[str, Any]) -> dict[int, Size]:
    """Return the size, or the dim, of every variable."""
    layout, found, used = run.layout, dict[int, Size](), set[str]()
    for path, leaf in layout.leaves.items():
        for place, axis in enumerate(leaf.axes):
            if axis in found:
                continue
            size, span = layout.sizes[axis], ranges.get(axis)
            name = _name(run, path, place, axis, dynamic=span is not None)
            if span is None and (name not in _ALWAYS_NAMED or name in used):
                found[axis] = size
                continue
            name = make_unique(name, used, path)
            found[axis] = Dim.static(name, size) if span is None else _dim(name, size, span, wanted)
    return found


def _dim(name: str, size: int, span: Range, wanted: Mapping[str, Any]) -> Dim:
    """Return a dim: as the caller wants it, else of the usual size for its name, else as the search found it."""
    given = wanted.get(name)
    # A search tries large volumes, which shrink many times.
    usual = find_default_size("num_frames" if name == "depth" else name)
    size = given if type(given) is int else usual or size
    size = max(size, span.min)
    size = size if span.max is None else min(size, span.max)
    size = -(-size // span.step) * span.step
    if span.max is not None and size > span.max:
        size = span.max // span.step * span.step
    return Dim(name, size, span.min, span.max, span.step)


def _name(run: Run, path: str, place: int, axis: int, *, dynamic: bool) -> str:
    """Return the name of an axis: from the caller or a layer, else by its place."""
    layout = run.layout
    given = next((name for name, variable in layout.named if variable == axis), None)
    if given is not None:
        return given
    leaf, known = layout.leaves[path], run.spy.facts.names
    if path in layout.images:
        return ("num_channels", "height", "width")[place]
    named, floating = known.get(axis), leaf.dtype.is_floating_point
    # Also where a layer of images gets the batch among its rows; nodes are those of one graph, or of several that are one.
    if axis in layout.batches and "sequence" not in (named or ""):
        return "num_nodes" if axis == BATCH and layout.is_graph else "batch_size"
    if named == "sequence_length":
        return "audio_sequence_length" if floating and is_wave(path) else prefix_part(named, path)
    if named is not None and (floating or "sequence" in named or "batch" in named):
        return named
    told = _name_in_floats(run, path, place) if floating else None
    name = name_axis(path, place, len(leaf.axes), floating=floating)
    # A static axis keeps its number unless it is the edge of an image.
    return told if told is not None else name if dynamic or name in ("height", "width") else ""


def _name_in_floats(run: Run, path: str, place: int) -> str | None:
    """Return the name of an axis of images, of states and of vectors by what is known of the others; None if that tells nothing."""
    axes = run.layout.leaves[path].axes
    rank, known = len(axes), [run.spy.facts.names.get(axis) for axis in axes]
    if rank == 4 and re.search(r"past|cache", path) and known[3] != "width":
        return "past_sequence_length" if place == 2 else ""
    if rank >= IMAGE_RANK and place == 1:
        return (
            "num_channels"
            if "num_channels" not in known
            else "num_frames"
            if rank == 5 and known[2] == "num_channels"
            else None
        )
    if rank == 3 and place == 2 and (is_embeddings(path) or axes[1] in run.layout.fixed):
        return "hidden_size" if is_embeddings(path) else prefix_part("sequence_length", path)  # behind channels
    return None
