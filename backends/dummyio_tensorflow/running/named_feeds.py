"""Feeds by the spec's paths, inputs by the names that an artifact has: one for the other, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dummyio.errors import RunError, SourceError
from dummyio.input_spec import InputSpec
from dummyio.running.runner import DeclaredTensor, check_feed_names
from dummyio.typing import Array
from dummyio_tensorflow.signature import argument_names

__all__ = ["FeedMap", "check_feed_names", "choose_fitting_signature", "common"]


class FeedMap:
    """What one artifact takes and returns, by the spec's names.

    Parameters
    ----------
    label
        The artifact, for messages.
    declared
        Signature → its inputs, as the artifact names them; those of other inputs than the first are left out.
    outputs
        The names of what it returns.
    spec
        What gives the inputs their paths; without one they keep the artifact's names.

    Raises
    ------
    SourceError
        where the spec's inputs are not the artifact's.
    """

    def __init__(
        self,
        label: str,
        declared: Mapping[str, Sequence[DeclaredTensor]],
        outputs: Sequence[str],
        spec: InputSpec | None,
    ) -> None:
        own = [port.name for port in next(iter(declared.values()))]
        paths = [path for path, _ in spec.leaves] if spec is not None else own
        names = argument_names(paths) if set(paths) != set(own) else {path: path for path in paths}
        if set(names.values()) != set(own):
            raise SourceError(
                f"{label} takes {', '.join(sorted(own)) or 'nothing'}, and the spec has {', '.join(paths) or 'nothing'}: "
                "give the spec that lies beside the artifact, or none."
            )
        self._names = names
        ports = {port.name: port for port in common(declared, set(own))}
        self.inputs = tuple(replace(ports[name], name=path) for path, name in names.items())
        given = [output.name for output in spec.outputs] if spec is not None else []
        self._order = given if set(given) == set(outputs) else list(outputs)

    def ordered(self, ports: Sequence[DeclaredTensor]) -> tuple[DeclaredTensor, ...]:
        """Return the outputs in the spec's order."""
        return tuple(sorted(ports, key=lambda port: self._order.index(port.name)))

    def check(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Return the feeds by the artifact's names; raise `RunError` for other names and dtypes than it takes."""
        check_feed_names(feeds, self._names)
        for port in self.inputs:
            found = feeds[port.name].dtype
            if (
                port.dtype is not None
                and found != port.dtype.numpy
                and not (found.kind in "OUST" and port.dtype.kind == "string")
            ):
                raise RunError(f"input {port.name!r} is {port.dtype}, and was fed {found}: feeds are never converted.")
        return {name: feeds[path] for path, name in self._names.items()}

    def results(self, found: Mapping[str, Array]) -> dict[str, Array]:
        """Return results in the order that is declared."""
        return {name: found[name] for name in self._order}


def common(declared: Mapping[str, Sequence[DeclaredTensor]], own: set[str]) -> list[DeclaredTensor]:
    """Return the ports with the sizes on which all signatures that have these agree; None where they differ."""
    alike = [{port.name: port for port in ports} for ports in declared.values()]
    alike = [ports for ports in alike if set(ports) == own]
    found: list[DeclaredTensor] = []
    for name, port in alike[0].items():
        shapes = [ports[name].shape for ports in alike]
        ranks = {None if shape is None else len(shape) for shape in shapes}
        if None in ranks or len(ranks) > 1:
            found.append(replace(port, shape=None))
            continue
        axes = zip(*(shape for shape in shapes if shape is not None), strict=True)
        found.append(replace(port, shape=tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in axes)))
    return found


def choose_fitting_signature(
    declared: Mapping[str, Sequence[DeclaredTensor]], feeds: Mapping[str, Array], engine: str
) -> str:
    """Return the first signature whose declared shapes take these feeds.

    The check is ours: runtimes differ, and some take any shape, of another rank too, and then read past the end.
    """
    problem = ""
    for name, ports in declared.items():
        if {port.name for port in ports} != set(feeds):
            continue
        found = next((text for port in ports if (text := _misfit(port, feeds[port.name]))), "")
        if not found:
            return name
        problem = problem or found
    raise RunError(f"{engine}: {problem} Make the feeds at a size that the artifact takes.")


def _misfit(port: DeclaredTensor, values: Array) -> str:
    shape = port.shape
    if shape is None:
        return ""
    if len(shape) != values.ndim or any(
        isinstance(size, int) and size != have for size, have in zip(shape, values.shape, strict=False)
    ):
        declared = ", ".join("?" if size is None else str(size) for size in shape)
        return f"input {port.name!r} is declared as [{declared}], and was fed {list(values.shape)}."
    return ""
