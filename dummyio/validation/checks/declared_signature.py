"""What an artifact declares against what the spec says and what really came: names, order, dtypes, ranks, symbols."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dummyio.errors import DimError, RunError, suggest_names
from dummyio.input_spec import InputSpec
from dummyio.running.runner import DeclaredTensor, Runner
from dummyio.spec.dim_parser import parse_size
from dummyio.spec.dims import Dim, collect_dims, evaluate_size, is_static
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.typing import Array
from dummyio.validation.data.records import Finding

__all__ = ["Shapes", "check_inputs", "check_outputs", "require_known_inputs"]


def require_known_inputs(spec: InputSpec, actual: Runner) -> None:
    """Raise `RunError` where the artifact wants inputs that the spec does not have: nothing could be run."""
    known = {path for path, _ in spec.leaves}
    unknown = [port.name for port in actual.inputs or () if port.name not in known]
    if unknown:
        raise RunError(
            f"the artifact has inputs that the spec does not know: {', '.join(unknown)}. {suggest_names(unknown[0], known)} "
            "Give the spec of this artifact with spec=."
        )


def check_inputs(spec: InputSpec, actual: Runner) -> Iterator[Finding]:
    """Compare the declared inputs with the spec's."""
    if actual.inputs is None:
        return
    ports = {port.name: port for port in actual.inputs}
    for path, leaf in spec.leaves:
        if path not in ports:
            yield Finding(
                "names", "error", path, "the artifact has no such input: what it is given there has no effect."
            )
        else:
            yield from _check_port(path, leaf, ports[path])
    order = [path for path, _ in spec.leaves if path in ports]
    if order != list(ports):
        yield Finding(
            "order", "warning", "inputs", f"they stand as {', '.join(ports)}; the spec has {', '.join(order)}."
        )
    yield from _check_symbols(spec, ports)


def _check_port(path: str, leaf: TensorSpec, port: DeclaredTensor) -> Iterator[Finding]:
    if port.dtype is not None and port.dtype is not leaf.dtype:
        yield Finding("dtype", "error", path, f"the artifact takes {port.dtype}, the spec says {leaf.dtype}.")
    if port.shape is None:
        return
    if len(port.shape) != leaf.rank:
        yield Finding("rank", "error", path, f"the artifact takes {len(port.shape)} axes, the spec has {leaf.rank}.")
        return
    for axis, (declared, size) in enumerate(zip(port.shape, leaf.shape, strict=True)):
        if isinstance(declared, int) and not is_static(size):
            yield Finding(
                "baked", "error", str(size), f"axis {axis} of input {path} is fixed at {declared}, and should be free."
            )
        elif isinstance(declared, int) and declared != evaluate_size(size):
            yield Finding("shape", "error", path, f"axis {axis} is {declared}, the spec says {evaluate_size(size)}.")


def _check_symbols(spec: InputSpec, ports: Mapping[str, DeclaredTensor]) -> Iterator[Finding]:
    """Find names of the artifact that stand for two different sizes of the spec."""
    meanings: dict[str, dict[str, str]] = {}
    for path, leaf in spec.leaves:
        declared = ports[path].shape if path in ports else None
        if declared is None or len(declared) != leaf.rank:
            continue
        for axis, (name, size) in enumerate(zip(declared, leaf.shape, strict=True)):
            if isinstance(name, str):
                meanings.setdefault(name, {})[str(size)] = f"axis {axis} of {path}"
    for name, sizes in meanings.items():
        if len(sizes) > 1:
            places = " and ".join(f"{size} ({place})" for size, place in sizes.items())
            yield Finding("symbols", "error", name, f"one name for sizes that differ: {places}.")


def check_outputs(
    expected: Sequence[str], actual: Runner, found: Mapping[str, Array], expected_dtypes: Mapping[str, np.dtype[Any]]
) -> Iterator[Finding]:
    """Compare the outputs' names, order and dtypes with the reference's."""
    missing = [name for name in expected if name not in found]
    more = [name for name in found if name not in expected]
    hint = " Compare them in order with match='position'." if len(missing) == len(more) and missing else ""
    for name in missing:
        yield Finding("names", "error", name, f"the artifact has no such output. {suggest_names(name, found)}{hint}")
    for name in more:
        yield Finding("names", "warning", name, "an output that the reference does not have; nothing compares it.")
    common = [name for name in found if name in expected]
    if common != [name for name in expected if name in found]:
        yield Finding("order", "warning", "outputs", f"they stand as {', '.join(common)}, in another order.")
    for name in common:
        if expected_dtypes[name] != found[name].dtype:
            message = f"the artifact returns {found[name].dtype}, the reference {expected_dtypes[name]}."
            yield Finding("dtype", "error", name, message)
    for port in actual.outputs or ():
        if port.name in found and port.dtype is not None and port.dtype.numpy != found[port.name].dtype:
            message = f"it is declared as {port.dtype} and comes as {found[port.name].dtype}."
            yield Finding("dtype", "error", port.name, message)


class Shapes:
    """Real shapes against declared ones, over all cases."""

    def __init__(self, spec: InputSpec, actual: Runner) -> None:
        """Keep what is declared."""
        self._spec = spec
        self._inputs = {port.name: port for port in actual.inputs or ()}
        self._outputs = {port.name: port for port in actual.outputs or ()}
        self._wrong: dict[tuple[str, int], tuple[str, list[str]]] = {}

    def see(self, case: str, sizes: Mapping[str, int], found: Mapping[str, Array]) -> None:
        """Compare the shapes of one case's outputs with the declared ones, under the sizes that the inputs had."""
        bound = self._bound(sizes)
        for name, values in found.items():
            port = self._outputs.get(name)
            if port is None or port.shape is None:
                continue
            if len(port.shape) != np.ndim(values):
                self._note(name, -1, f"{len(port.shape)} axes are declared, {np.ndim(values)} came", case)
                continue
            for axis, (declared, size) in enumerate(zip(port.shape, np.shape(values), strict=True)):
                said = _size(declared, bound)
                if said is None and isinstance(declared, str):
                    bound[declared] = size  # it has this size wherever else it stands
                elif said is not None and said != size:
                    self._note(name, axis, f"{declared} is declared, which is {said} here, and {size} came", case)

    def findings(self) -> Iterator[Finding]:
        """Yield one finding for each axis that is declared wrongly."""
        for (name, axis), (message, cases) in self._wrong.items():
            where = f"axis {axis}: " if axis >= 0 else ""
            yield Finding("symbols", "error", name, f"{where}{message}.", tuple(cases))

    def _note(self, name: str, axis: int, message: str, case: str) -> None:
        self._wrong.setdefault((name, axis), (message, []))[1].append(case)

    def _bound(self, sizes: Mapping[str, int]) -> dict[str, int]:
        """Return symbol → size as the artifact's inputs have them; the spec's own where they say nothing else.

        Symbols that only outputs have are free: no input says how large they are.
        """
        of_inputs = collect_dims(size for _, leaf in self._spec.leaves for size in leaf.shape)
        bound = {name: size for name, size in sizes.items() if name in of_inputs}
        for path, leaf in self._spec.leaves:
            declared = self._inputs[path].shape if path in self._inputs else None
            if declared is None or len(declared) != leaf.rank:
                continue
            real = leaf.sizes(sizes)
            bound |= {name: size for name, size in zip(declared, real, strict=True) if isinstance(name, str)}
        return bound


def _size(declared: int | str | None, bound: Mapping[str, int]) -> int | None:
    """Return what a declared size is; None where it is a name that nothing binds, or no name."""
    if declared is None or isinstance(declared, int):
        return declared
    if declared in bound:
        return bound[declared]
    try:
        names = {name: Dim(name, size=size, min=0) for name, size in bound.items() if name.isidentifier()}
        size = parse_size(declared, names)
        return evaluate_size(size, dict(bound))
    except (DimError, ValueError):
        return None
