"""Compares the declarations of an artifact with its spec and its results: names, order, dtypes, ranks, symbols."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dummyio.errors import DimError, suggest_names
from dummyio.input_spec import InputSpec
from dummyio.running.runner import DeclaredTensor, Runner
from dummyio.spec.dim_parser import parse_size
from dummyio.spec.dims import Dim, collect_dims, evaluate_size, is_static
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.typing import Array
from dummyio.validation.comparing.match_inputs import HALF
from dummyio.validation.data.records import Finding, Severity


def check_inputs(spec: InputSpec, actual: Runner, casts: Collection[str] = ()) -> Iterator[Finding]:
    """Compare the declared inputs with those of the spec that the artifact has; `casts` are those whose dtype is not asked."""
    if actual.inputs is None:
        return
    ports = {port.name: port for port in actual.inputs}
    for path, leaf in spec.leaves:
        if path in ports:
            found = _check_port(path, leaf, ports[path])
            yield from (finding for finding in found if finding.kind != "dtype" or path not in casts)
    order = [path for path, _ in spec.leaves if path in ports]
    if order != list(ports) and not getattr(actual, "sorts_inputs", False):
        message = f"the artifact has the order {', '.join(ports)}; the spec has {', '.join(order)}."
        yield Finding("order", "warning", "inputs", message)
    yield from _check_symbols(spec, ports)


def _check_port(path: str, leaf: TensorSpec, port: DeclaredTensor) -> Iterator[Finding]:
    if port.dtype is not None and port.dtype is not leaf.dtype:
        yield Finding("dtype", "error", path, f"the artifact declares {port.dtype}, the spec {leaf.dtype}.")
    if port.shape is None:
        return
    if len(port.shape) != leaf.rank:
        yield Finding("rank", "error", path, f"the artifact declares {len(port.shape)} axes, the spec {leaf.rank}.")
        return
    for axis, (declared, size) in enumerate(zip(port.shape, leaf.shape, strict=True)):
        if isinstance(declared, int) and not is_static(size):
            message = f"axis {axis} of input {path} is declared with the static size {declared}, but must be dynamic."
            yield Finding("baked", "error", str(size), message)
        elif isinstance(declared, int) and declared != evaluate_size(size):
            message = f"the artifact declares {declared} for axis {axis}, the spec {evaluate_size(size)}."
            yield Finding("shape", "error", path, message)


def _check_symbols(spec: InputSpec, ports: Mapping[str, DeclaredTensor]) -> Iterator[Finding]:
    """Yield a finding for each name of the artifact that stands for two different sizes of the spec."""
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
            yield Finding("symbols", "error", name, f"one name for different sizes: {places}.")


def check_outputs(
    expected: Sequence[str],
    actual: Runner,
    found: Mapping[str, Array],
    expected_dtypes: Mapping[str, np.dtype[Any]],
    *,
    is_half: bool = False,
    by_position: bool = False,
) -> Iterator[Finding]:
    """Compare names, order and dtypes of the outputs with those of the reference; one in half precision may return that."""
    yield from _check_declared_dtypes(actual, found)
    if by_position:
        for name in expected[len(found) :]:
            message = f"the artifact does not have this output: it has {len(found)}, the reference {len(expected)}."
            yield Finding("names", "error", name, message)
        for name in list(found)[len(expected) :]:
            yield Finding("names", "warning", name, _NOT_COMPARED)
        found = dict(zip(expected, found.values(), strict=False))
        yield from _check_dtypes(found, expected_dtypes, is_half=is_half)
        return
    if len(expected) == len(found) == 1 and list(found) != list(expected):
        (ours,), (theirs,) = expected, found
        yield Finding("names", "warning", ours, f"the artifact calls its only output {theirs!r}: the two are compared.")
        found, expected_dtypes = {ours: found[theirs]}, {ours: expected_dtypes[ours]}
    missing = [name for name in expected if name not in found]
    more = [name for name in found if name not in expected]
    hint = " Compare them in order with match='position'." if len(missing) == len(more) and missing else ""
    is_part = getattr(actual, "leaves_out_outputs", False)
    for name in missing:
        message = f"the artifact does not have this output. {suggest_names(name, found)}{hint}"
        if is_part:
            message = (
                "no part of the model has this output: it is not compared, and the caller computes it from the others."
            )
        yield Finding("names", "warning" if is_part else "error", name, message)
    for name in more:
        yield Finding("names", "warning", name, _NOT_COMPARED)
    common = [name for name in found if name in expected]
    if common != [name for name in expected if name in found]:
        message = f"the order {', '.join(common)} differs from that of the reference."
        yield Finding("order", "warning", "outputs", message)
    yield from _check_dtypes({name: found[name] for name in common}, expected_dtypes, is_half=is_half)


_NOT_COMPARED = "the reference does not have this output: it is not compared."


def _check_dtypes(
    found: Mapping[str, Array], expected_dtypes: Mapping[str, np.dtype[Any]], *, is_half: bool
) -> Iterator[Finding]:
    for name in found:
        if expected_dtypes[name] != found[name].dtype:
            message = f"the artifact returns {found[name].dtype}, the reference {expected_dtypes[name]}."
            severity: Severity = "warning" if is_half and str(found[name].dtype) in HALF else "error"
            yield Finding("dtype", severity, name, message)


def _check_declared_dtypes(actual: Runner, found: Mapping[str, Array]) -> Iterator[Finding]:
    for port in actual.outputs or ():
        if port.name in found and port.dtype is not None and port.dtype.numpy != found[port.name].dtype:
            message = f"the artifact declares {port.dtype} and returns {found[port.name].dtype}."
            yield Finding("dtype", "error", port.name, message)


class DeclaredShapes:
    """The declared shapes of outputs against the shapes of the results, over all cases."""

    def __init__(self, spec: InputSpec, actual: Runner) -> None:
        """Keep the declarations."""
        self._spec = spec
        self._inputs = {port.name: port for port in actual.inputs or ()}
        self._outputs = {port.name: port for port in actual.outputs or ()}
        self._open = {output.name for output in spec.outputs if output.shape is None}
        """Outputs whose sizes the spec leaves open, such as those that depend on values: another declaration is that of one run."""
        self._of_inputs = collect_dims(size for _, leaf in spec.leaves for size in leaf.shape)
        self._wrong: dict[tuple[str, int], tuple[str, list[str]]] = {}

    def add_case(self, case: str, sizes: Mapping[str, int], found: Mapping[str, Array]) -> None:
        """Compare the shapes of a case's results with the declared ones, at the sizes of its inputs."""
        bound = self._bind_symbols(sizes)
        for name, values in found.items():
            port = self._outputs.get(name)
            if port is None or port.shape is None:
                continue
            if len(port.shape) != np.ndim(values):
                self._note(
                    name, -1, f"the artifact declares {len(port.shape)} axes, the result has {np.ndim(values)}", case
                )
                continue
            for axis, (declared, size) in enumerate(zip(port.shape, np.shape(values), strict=True)):
                expected = _evaluate_declared(declared, bound)
                if expected is None and isinstance(declared, str):
                    bound[declared] = size  # the same name has the same size on other axes
                elif expected is not None and expected != size:
                    self._note(name, axis, f"{declared} is declared, here {expected}, but the result has {size}", case)

    def findings(self) -> Iterator[Finding]:
        """Yield a finding for each axis with a wrong declaration."""
        for (name, axis), (message, cases) in self._wrong.items():
            where = f"axis {axis}: " if axis >= 0 else ""
            severity: Severity = "warning" if name in self._open and axis >= 0 else "error"
            yield Finding("symbols", severity, name, f"{where}{message}.", tuple(cases))

    def _note(self, name: str, axis: int, message: str, case: str) -> None:
        self._wrong.setdefault((name, axis), (message, []))[1].append(case)

    def _bind_symbols(self, sizes: Mapping[str, int]) -> dict[str, int]:
        """Return symbol → size from the inputs: the names of the artifact, and those of the spec.

        A symbol that only outputs have is not bound: no input decides its size.
        """
        bound = {name: size for name, size in sizes.items() if name in self._of_inputs}
        for path, leaf in self._spec.leaves:
            declared = self._inputs[path].shape if path in self._inputs else None
            if declared is None or len(declared) != leaf.rank:
                continue
            real = leaf.sizes(sizes)
            bound |= {name: size for name, size in zip(declared, real, strict=True) if isinstance(name, str)}
        return bound


def _evaluate_declared(declared: int | str | None, bound: Mapping[str, int]) -> int | None:
    """Return the value of a declared size; None if it is a name that is not bound, or not a size expression."""
    if declared is None or isinstance(declared, int):
        return declared
    if declared in bound:
        return bound[declared]
    try:
        names = {name: Dim(name, size=size, min=0) for name, size in bound.items() if name.isidentifier()}
        return evaluate_size(parse_size(declared, names), dict(bound))
    except (DimError, ValueError):
        return None
