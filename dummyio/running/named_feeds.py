"""Feeds by the spec's paths for an artifact whose inputs have other names."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from dummyio.errors import RunError, SourceError
from dummyio.input_spec import InputSpec
from dummyio.running.runner import DeclaredTensor, check_feed_names
from dummyio.running.signatures import SIGNATURE, argument_names, choose_signature
from dummyio.typing import Array, Axes

Signatures = Mapping[str, Sequence[DeclaredTensor]]
"""Signature → its inputs or outputs, by the artifact's names."""


class FeedMap:
    """The inputs and outputs of one artifact, by the spec's names and in its order.

    Parameters
    ----------
    label
        The artifact, for messages.
    declared
        The inputs of its signatures; those that differ from the first one's are left out.
    outputs
        The names of its outputs.
    spec
        The paths of the inputs; without it they keep the artifact's names.

    Raises
    ------
    SourceError
        if the spec's inputs are not the artifact's.
    """

    def __init__(self, label: str, declared: Signatures, outputs: Sequence[str], spec: InputSpec | None) -> None:
        tensors = {tensor.name: tensor for tensor in merge_signatures(declared)}
        paths = [path for path, _ in spec.leaves] if spec is not None else list(tensors)
        names = argument_names(paths) if set(paths) != set(tensors) else {path: path for path in paths}
        if set(names.values()) != set(tensors):
            raise SourceError(
                f"{label} takes {', '.join(sorted(tensors)) or 'nothing'}, and the spec has {', '.join(paths) or 'nothing'}: "
                "give the spec that was saved with the artifact, or none."
            )
        self._names = names
        self.inputs = tuple(replace(tensors[name], name=path) for path, name in names.items())
        given = [output.name for output in spec.outputs] if spec is not None else []
        self._order = given if set(given) == set(outputs) else list(outputs)

    def order_outputs(self, tensors: Sequence[DeclaredTensor]) -> tuple[DeclaredTensor, ...]:
        """Return the declared outputs in the spec's order."""
        return tuple(sorted(tensors, key=lambda tensor: self._order.index(tensor.name)))

    def check_feeds(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Return the feeds by the artifact's names; raise `RunError` for names and dtypes that it does not take."""
        check_feed_names(feeds, self._names)
        for tensor in self.inputs:
            found = feeds[tensor.name].dtype
            is_text = found.kind in "OUST" and tensor.dtype is not None and tensor.dtype.kind == "string"
            if tensor.dtype is not None and found != tensor.dtype.numpy and not is_text:
                raise RunError(
                    f"input {tensor.name!r} is {tensor.dtype}, and its feed is {found}: feeds are never converted."
                )
        return {name: feeds[path] for path, name in self._names.items()}

    def order_results(self, found: Mapping[str, Array]) -> dict[str, Array]:
        """Return results in the spec's order."""
        return {name: found[name] for name in self._order}


def merge_signatures(declared: Signatures) -> list[DeclaredTensor]:
    """Return the tensors of all signatures with the names of the first one; sizes that differ become None."""
    by_name = [{tensor.name: tensor for tensor in tensors} for tensors in declared.values()]
    alike = [tensors for tensors in by_name if set(tensors) == set(by_name[0])]
    return [
        replace(tensor, shape=_merge_shapes([tensors[name].shape for tensors in alike]))
        for name, tensor in by_name[0].items()
    ]


def _merge_shapes(shapes: Sequence[Axes | None]) -> Axes | None:
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes) or len(set(map(len, known))) > 1:
        return None
    return tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*known, strict=True))


def select_signatures(
    names: Mapping[str, tuple[Collection[str], Collection[str]]],
    spec: InputSpec | None,
    signature: str | None,
    label: str,
) -> list[str]:
    """Return the signatures that a runner calls: the one that is meant, and those with the same inputs and outputs after it.

    Parameters
    ----------
    names
        Signature → the names of its inputs and of its outputs, the usual one first.
    spec
        The inputs: the signature that they were described from is meant, if it is among these, else one that takes them.
    signature
        The only one to call, whatever the spec says.
    label
        The artifact, for messages.

    Raises
    ------
    OptionError
        if the artifact lacks `signature`.
    SourceError
        if nothing tells which of several is meant.
    """
    if signature is not None:
        return [choose_signature([name for name in names if name], signature, label)]
    meant = None if spec is None else spec.provenance.get(SIGNATURE)
    first = meant if meant is not None and meant in names else _find_first(names, spec, label)
    wanted = [set(side) for side in names[first]]
    alike = [name for name, sides in names.items() if name != first and [set(side) for side in sides] == wanted]
    return [first, *alike]


def _find_first(
    names: Mapping[str, tuple[Collection[str], Collection[str]]], spec: InputSpec | None, label: str
) -> str:
    paths = [path for path, _ in spec.leaves] if spec is not None else []
    alike = [{*paths}, {*argument_names(paths).values()}]
    taking = [name for name, (inputs, _) in names.items() if spec is not None and set(inputs) in alike]
    able = taking or list(names)
    if all([*map(set, names[name])] == [*map(set, names[able[0]])] for name in able):
        return able[0]
    return choose_signature(able, None, label)


def choose_fitting_signature(declared: Signatures, feeds: Mapping[str, Array], engine: str) -> str:
    """Return the name of the first signature whose declared shapes take these feeds; raise `RunError` if there is none.

    Runtimes do not check this: some take any shape, of another rank too, and then read past the end.
    """
    problems: list[str] = []
    for name, tensors in declared.items():
        if {tensor.name for tensor in tensors} == set(feeds):
            found = [text for tensor in tensors if (text := _misfit(tensor, feeds[tensor.name]))]
            if not found:
                return name
            problems += found
    raise RunError(f"{engine}: {problems[0]} Make the feeds at a size that the artifact takes.")


def _misfit(tensor: DeclaredTensor, values: Array) -> str:
    shape = tensor.shape
    if shape is None or (
        len(shape) == values.ndim
        and all(size == have for size, have in zip(shape, values.shape, strict=True) if isinstance(size, int))
    ):
        return ""
    declared = ", ".join("?" if size is None else str(size) for size in shape)
    return f"input {tensor.name!r} is declared as [{declared}], and its feed is {list(values.shape)}."
