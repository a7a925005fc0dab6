"""From recorded calls to an `InputSpec`: sizes that agreed are static, sizes that varied are dims."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from dummyio.errors import SourceError
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Size
from dummyio.spec.tensor_spec import Nest, Node, TensorSpec
from dummyio_torch.capture.dim_symbols import DimInference
from dummyio_torch.capture.observed_rules import choose_observed_rules
from dummyio_torch.capture.recorded_calls import Axis, Call, Container, Recorded, Tree
from dummyio_torch.capture.shape_probe import Probe
from dummyio_torch.dtypes import from_native


@dataclass(frozen=True)
class Recording:
    """The recorded calls and their module."""

    calls: Sequence[Call]
    settings: Sequence[Mapping[str, Any]]
    module: nn.Module | None
    label: str


def describe_calls(recording: Recording) -> InputSpec:
    """Return the spec of some calls; raise `SourceError` if they do not agree, or there are none."""
    calls = recording.calls
    if not calls:
        raise SourceError(
            f"no call of {recording.label} was recorded: call it inside of the with statement, as model(x) and not model.forward(x)."
        )
    leaves = [dict(_leaves(call)) for call in calls]
    if not leaves[0]:
        raise SourceError(f"the first call of {recording.label} was given no tensor: there is nothing to describe.")
    _check(leaves)
    vectors: dict[Axis, tuple[int, ...]] = {
        (path, axis): tuple(each[path].shape[axis] for each in leaves)
        for path, leaf in leaves[0].items()
        for axis in range(len(leaf.shape))
    }
    constants = {k: v for k, v in recording.settings[0].items() if all(s.get(k) == v for s in recording.settings)}
    probe = Probe.of(recording.module, calls[0], constants)
    caches = frozenset(name for name, tree in calls[0].items() if isinstance(tree, Container) and tree.kind == "cache")
    symbols = DimInference(vectors, leaves[0], caches)
    sizes = symbols.varied() if len(calls) > 1 else symbols.confirmed(probe)
    tensors = _tensors(leaves, sizes)
    notes = _notes(recording, probe, constants)
    for path, (rule, note) in choose_observed_rules(
        leaves, tensors, probe.facts if probe is not None else None
    ).items():
        tensors[path] = tensors[path].replace(values=rule)
        notes[f"input {path}"] = note
    spec = InputSpec({name: _build_node(tree, name, tensors) for name, tree in calls[0].items()}, provenance=notes)
    return probe.bound_dims(spec, vectors) if probe is not None else spec


def _notes(recording: Recording, probe: Probe | None, constants: Mapping[str, Any]) -> dict[str, str]:
    count = len(recording.calls)
    notes = {"source": recording.label, "names": f"{count} recorded call{'s' if count > 1 else ''}"}
    notes["sizes"] = "seen in the calls" if probe is None else "seen in the calls, and confirmed by shape-only runs"
    for name, value in constants.items():
        notes[f"argument {name}"] = f"{value!r} in every call, and no input"
    return notes


def _leaves(items: Mapping[str, Tree] | Sequence[tuple[str, Tree]], prefix: str = "") -> Iterator[tuple[str, Recorded]]:
    for name, tree in items.items() if isinstance(items, Mapping) else items:
        if isinstance(tree, Container):
            yield from _leaves(tree.items, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", tree


def _check(leaves: Sequence[Mapping[str, Recorded]]) -> None:
    """Raise `SourceError` if a call was given other inputs, ranks or dtypes than the first."""
    first = leaves[0]
    for number, call in enumerate(leaves[1:], 2):
        if set(call) != set(first):
            other = ", ".join(sorted(set(call) ^ set(first))[:8])
            raise SourceError(
                f"call {number} and call 1 were given different inputs; only one of them has {other}. One spec describes "
                "calls of one kind: record each kind by itself (a first step without a past, a step with one)."
            )
        for path, leaf in call.items():
            if len(leaf.shape) != len(first[path].shape) or leaf.dtype != first[path].dtype:
                raise SourceError(
                    f"input {path!r} is {_format_leaf(first[path])} in call 1 and {_format_leaf(leaf)} in call {number}: an input of a "
                    "spec has one dtype and one number of axes. Record each kind of call by itself."
                )


def _format_leaf(leaf: Recorded) -> str:
    return f"{str(leaf.dtype).removeprefix('torch.')}{list(leaf.shape)}"


def _tensors(leaves: Sequence[Mapping[str, Recorded]], sizes: Mapping[Axis, Size]) -> dict[str, TensorSpec]:
    return {
        path: TensorSpec(path, [sizes[path, axis] for axis in range(len(leaf.shape))], from_native(leaf.dtype))
        for path, leaf in leaves[0].items()
    }


def _build_node(tree: Tree, path: str, tensors: Mapping[str, TensorSpec], *, inside: bool = False) -> Node:
    if isinstance(tree, Recorded):
        return tensors[path].replace(name=path.rpartition(".")[2])
    items = {key: _build_node(item, f"{path}.{key}", tensors, inside=tree.kind == "cache") for key, item in tree.items}
    # A layer of a cache is a tuple: keys, values.
    kind: Literal["dict", "list", "tuple", "cache"] = "tuple" if inside else tree.kind  # type: ignore[assignment]
    return Nest.of(kind, items)
