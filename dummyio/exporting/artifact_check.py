"""The one check of a written artifact: it opens, declares what the spec has, and computes what the model does.

All exporters end with it, whatever wrote the artifact: converters leave out operations, rename inputs and take sizes for
constants without an error.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from dummyio.errors import DummyioError, ExportError, NotInstalledError, RunError, SourceError, format_error_line
from dummyio.exporting.stages import report_stage
from dummyio.input_spec import InputSpec
from dummyio.running.runner import Runner, open_runner
from dummyio.spec.dims import evaluate_size, find_dims, is_static
from dummyio.typing import Array, Axes

Run = Callable[[Mapping[str, Array]], Mapping[str, Array]]
"""Feeds → outputs by name: a runner, or any function like it; raises `RunError`."""

TOLERANCE = 1e-2
"""The largest error of a value, as a share of the largest value: more than rounding, and less than any defect."""
COARSE_TOLERANCE = 0.1
"""The same for narrow floats and quantized artifacts; of integers and booleans, the share of elements that may differ."""
_WIDE = ("float32", "float64", "complex64", "complex128")
_ROUNDING = 1e-5
"""The error that is always allowed, since values near 0 are rounded too."""
_DEFECT = "This is a defect of the exporter: report it with the model."
_FIX_SIZES = "A size may have become a constant: fix sizes with static='all_but_batch', 'all' or the names of dims."


def check_names_apart(inputs: Collection[str], outputs: Collection[str]) -> None:
    """Raise `ExportError` if an output has an input's name, for formats in which no two values have one name."""
    both = [name for name in outputs if name in inputs]
    if both:
        raise ExportError(
            f"{', '.join(both)} is the name of an input and of an output: in this format no two values have one name. Return it "
            f"under another name, such as 'new_{both[0]}'."
        )


def check_artifact(  # noqa: PLR0913 - each is a choice of an exporter
    path: Path,
    spec: InputSpec,
    outputs: Sequence[str],
    *,
    reference: Run | None = None,
    sizes: Sequence[Mapping[str, int]] | None = None,
    tolerance: float | None = TOLERANCE,
    ordered: bool = True,
    opener: Callable[[Path, InputSpec], Runner] = open_runner,
) -> tuple[str, ...]:
    """Raise `ExportError` if an artifact is not what its spec declares, or computes something else than the model.

    Parameters
    ----------
    path
        The file or folder that was written.
    spec
        Its inputs: their paths, dtypes, static sizes and dynamic axes. Of these, no two with different sizes may share a name.
    outputs
        The names of its outputs.
    reference
        The model itself. Without it the artifact is opened and its declaration compared, and nothing is run.
    sizes
        The sizes of dims to run at; by default `list_usual_sizes`.
    tolerance
        The largest error of a value, as a share of the largest value. None compares names, dtypes and shapes only.
    ordered
        Whether the order of inputs and outputs must be that of the spec; some formats sort them by name.
    opener
        Opens the artifact, if it is not `open_runner`, which goes by the suffix.

    Returns
    -------
    tuple[str, ...]
        Notes for the user: what could not be checked, and why.

    Raises
    ------
    ExportError
        if the artifact does not open, declares other inputs or outputs, or does not run or returns other values where the
        model runs.
    """
    with report_stage("check", path.name):
        return _check_artifact(path, spec, outputs, reference, sizes, tolerance, opener, ordered=ordered)


def _check_artifact(  # noqa: PLR0913 - as `check_artifact`
    path: Path,
    spec: InputSpec,
    outputs: Sequence[str],
    reference: Run | None,
    sizes: Sequence[Mapping[str, int]] | None,
    tolerance: float | None,
    opener: Callable[[Path, InputSpec], Runner],
    *,
    ordered: bool,
) -> tuple[str, ...]:
    try:
        runner = opener(path, spec)
    except NotInstalledError as error:
        return (f"not checked, since its runtime is not installed: {error}",)
    except SourceError as error:
        if "NOT_IMPLEMENTED" in str(error):  # a valid file for another device: bfloat16 has no kernels for the CPU
            return (f"not checked, since ONNX Runtime has no kernel for a part of it on this CPU: {error}",)
        if "Upgrade the runtime" in str(error):
            return (f"not checked, since the installed runtime is older than the file's operators: {error}",)
        raise ExportError(f"the artifact was written and does not open: {error}") from error
    for problem in _compare_declaration(runner, spec, outputs, ordered=ordered):
        raise ExportError(f"the artifact is not what the spec declares: {problem}")
    if reference is None:
        return ()
    return _compare_runs(runner, reference, spec, list_usual_sizes(spec) if sizes is None else sizes, tolerance)


def list_usual_sizes(spec: InputSpec) -> list[dict[str, int]]:
    """Return the sizes at which an artifact is compared: those of the first probe, and the spec's defaults."""
    first, default = spec.probes()[0], spec.sizes()
    return [first] if first == default else [first, default]


def _compare_declaration(runner: Runner, spec: InputSpec, outputs: Sequence[str], *, ordered: bool) -> Iterator[str]:
    """Yield the differences between what an artifact declares and what it should."""
    declared = {tensor.name: tensor for tensor in runner.inputs or ()}
    leaves = dict(spec.leaves)
    if not _are_alike(declared, leaves, ordered=ordered):
        yield f"its inputs are {_listed(declared)}, and must be {_listed(leaves)}. {_DEFECT}"
        return
    names = [tensor.name for tensor in runner.outputs or ()]
    if runner.outputs is not None and not _are_alike(names, outputs, ordered=ordered):
        yield f"its outputs are {_listed(names)}, and must be {_listed(outputs)}. {_DEFECT}"
    for path, leaf in leaves.items():
        if declared[path].dtype is not leaf.dtype:
            yield f"input {path!r} has dtype {declared[path].dtype}, and must have {leaf.dtype}. {_DEFECT}"
    yield from _compare_shapes({path: declared[path].shape for path in leaves}, spec)


def _compare_shapes(declared: Mapping[str, Axes | None], spec: InputSpec) -> Iterator[str]:
    symbols: dict[str, str] = {}
    for path, leaf in spec.leaves:
        shape = declared[path] or leaf.shape
        if len(shape) != leaf.rank:
            yield f"input {path!r} has {len(shape)} axes, {shape}, and must have {leaf.rank}. {_DEFECT}"
            continue
        for axis, (found, size) in enumerate(zip(shape, leaf.shape, strict=True)):
            where = f"axis {axis} of {path!r}"
            if is_static(size):
                if found != evaluate_size(size):
                    yield f"{where} has size {found}, and must have {size}. {_DEFECT}"
            elif isinstance(found, int):
                dims = tuple(dim.name for dim in find_dims(size))
                yield f"{where} ({size}) has become the constant {found}. Export it with static={dims}, as a static size."
            elif found is not None and symbols.setdefault(str(found), str(size)) != str(size):
                yield (
                    f"{where} ({size}) has become the same dim as {symbols[str(found)]}: the model takes them only if they "
                    "are equal. Describe them as one dim."
                )


def _are_alike(found: Collection[str], expected: Collection[str], *, ordered: bool) -> bool:
    return list(found) == list(expected) if ordered else sorted(found) == sorted(expected)


def _listed(names: Collection[str]) -> str:
    return ", ".join(names) or "none"


def _compare_runs(
    runner: Runner, reference: Run, spec: InputSpec, sizes: Sequence[Mapping[str, int]], tolerance: float | None
) -> tuple[str, ...]:
    """Run both at each of the sizes, and return notes; a converter that takes a size for a constant is right at one."""
    refused: RunError | None = None
    for each in sizes:
        feeds = spec.feeds(**each)
        try:
            expected = reference(feeds)
        except RunError as error:  # the model itself does not run there, which is not a fault of the artifact
            refused = error
            continue
        where = f" at {', '.join(f'{name}={size}' for name, size in each.items())}" if each else ""
        try:
            found = runner(feeds)
        except DummyioError as error:
            raise ExportError(
                f"the artifact was written and does not run{where}, where the model does: {error} {_FIX_SIZES}"
            ) from error
        for problem in _compare_outputs(expected, found, tolerance):
            if any(_compare_outputs(expected, reference(feeds), tolerance)):
                return ("its values were not compared: the model returns others each time it is run on the same feeds",)
            if not any(_compare_outputs(expected, found, None)) and _depends_on_rounding(
                reference, feeds, expected, tolerance
            ):
                return ("its values were not compared: the model's own in double precision differ as much",)
            raise ExportError(f"the artifact was written and is wrong{where}: {problem} {_FIX_SIZES}")
    if refused is None:
        return ()
    return (f"not compared at some sizes, where the model itself does not run: {format_error_line(refused)}",)


def _depends_on_rounding(
    reference: Run, feeds: Mapping[str, Array], expected: Mapping[str, Array], tolerance: float | None
) -> bool:
    """Return whether a model that can also run in double precision differs from itself: between equal scores, rounding chooses."""
    run: Run | None = getattr(reference, "in_double", None)
    if run is None:
        return False
    try:
        precise = run(feeds)
    except RunError:
        return False
    rounded = {
        name: values.astype(expected[name].dtype) if name in expected else values for name, values in precise.items()
    }
    return any(_compare_outputs(expected, rounded, tolerance))


def _compare_outputs(
    expected: Mapping[str, Array], found: Mapping[str, Array], tolerance: float | None
) -> Iterator[str]:
    if set(found) != set(expected):
        yield f"it returns {_listed(found)}, and the model {_listed(expected)}."
        return
    for name, values in expected.items():
        own = found[name]
        if own.shape != values.shape or own.dtype != values.dtype:
            yield f"{name!r} is {own.dtype}{list(own.shape)}, and in the model {values.dtype}{list(values.shape)}."
        elif values.size and tolerance is not None:
            yield from _compare_values(name, values, own, tolerance)


def _compare_values(name: str, expected: Array, found: Array, tolerance: float) -> Iterator[str]:
    kind = expected.dtype.kind
    if kind in "biuOSUT":
        unequal = float(np.mean(expected != found))
        if unequal > COARSE_TOLERANCE:
            yield f"{name!r} differs in {unequal:.0%} of its elements."
        return
    wide = np.complex128 if kind == "c" else np.float64
    ours, theirs = expected.astype(wide), found.astype(wide)
    finite = np.isfinite(ours)
    if not np.array_equal(ours[~finite], theirs[~finite], equal_nan=True) or not np.isfinite(theirs[finite]).all():
        yield f"{name!r} is not finite where the model is, or has another infinity or NaN."
    elif finite.any():
        error, scale = float(np.abs(ours[finite] - theirs[finite]).max()), float(np.abs(ours[finite]).max())
        share = tolerance if expected.dtype.name in _WIDE else max(tolerance, COARSE_TOLERANCE)
        if error > share * scale + _ROUNDING:
            yield f"{name!r} is off by {error:.2g}, where the largest value is {scale:.2g}."
