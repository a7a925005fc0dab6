"""What every exporter begins and ends with: the model as a function of flat inputs, and the comparison with what was written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.export
import numpy as np

from dummyio.errors import DTypeError, DummyioError, ExportError, RunError
from dummyio.input_spec import InputSpec
from dummyio.running.runner import DeclaredTensor, Runner
from dummyio.spec.dims import evaluate_size, is_static
from dummyio.spec.tensor_spec import build_nested
from dummyio.typing import Array, StaticDims
from dummyio_jax.calling.exported_function import exported_model
from dummyio_jax.calling.output_specs import output_specs
from dummyio_jax.calling.pure_function import Model, to_pure_function
from dummyio_jax.calling.pytrees import result_names, to_builtin_containers
from dummyio_jax.exporting.static_dims import narrowed
from dummyio_jax.precision import NARROW, enable_wide_dtypes
from dummyio_jax.running.function_runner import FunctionRunner
from dummyio_jax.signature import abstract, constraints

__all__ = ["ExportJob", "format_error_line", "prepare"]

_PROBES = 3
"""As many sets of sizes: two with all sizes different, and one with a size of 1."""
_SHARE = {"float32": 1e-2, "float64": 1e-2, "complex64": 1e-2, "complex128": 1e-2}
"""How far a result may be off, as a share of the largest value: far more than rounding does, and less than any defect."""
_COARSE = 0.1


@dataclass(frozen=True)
class ExportJob:
    """A model on its way to a file."""

    model: Model
    spec: InputSpec
    """With the outputs, by the names and in the order in which a runner of the model gives them."""
    notes: tuple[str, ...]

    @property
    def paths(self) -> list[str]:
        """The paths of the inputs, in the spec's order."""
        return [path for path, _ in self.spec.leaves]

    @property
    def outputs(self) -> list[str]:
        """The names of the outputs, in their order."""
        return [output.name for output in self.spec.outputs]

    def flat(self, leaves: Sequence[Any]) -> dict[str, Any]:
        """Return name → result of the model on its flat inputs, in the spec's order."""
        with enable_wide_dtypes(leaf.dtype for _, leaf in self.spec.leaves):
            return result_names(
                self.model(self.nested(dict(zip(self.paths, leaves, strict=True)))), tuple(self.outputs)
            )

    def abstract(self) -> dict[str, jax.ShapeDtypeStruct]:
        """Return path → shape and dtype, with symbols of one scope, in the spec's order."""
        return abstract(dict(self.spec.leaves))

    def constraints(self) -> list[tuple[str, str]]:
        """Return the bounds of the symbols, each with its symbol's name."""
        return [(name, bound) for name, dim in self.spec.dims.items() if not dim.fixed for bound in constraints(dim)]

    def plain_paths(self) -> list[str]:
        """Return the paths in the order in which JAX flattens the inputs once their containers are plain."""
        found: list[str] = jax.tree.leaves(to_builtin_containers(self.nested({path: path for path in self.paths})))
        return found

    def nested(self, leaves: dict[str, Any]) -> dict[str, Any]:
        """Return values by path as the model takes them."""
        return {name: build_nested(node, leaves, name) for name, node in self.spec.items()}

    def check(self, runner: Runner, *, coarse: bool = False) -> None:
        """Raise `ExportError` where an artifact is not what the spec says, or does not compute what the model does."""
        for problem in _differences(runner, self.spec):
            raise ExportError(f"what was written is not what was asked for: {problem}")
        self.check_results(runner, coarse=coarse)

    def check_results(self, runner: Runner, *, coarse: bool = False) -> None:
        """Raise `ExportError` where an artifact does not compute what the model does; `coarse` where it is quantized.

        It runs at several sizes of every symbol: a converter that takes a size for a constant is right at one of them.
        """
        reference = FunctionRunner(self.model, self.spec)
        for sizes in self.spec.probes()[:_PROBES]:
            feeds = self.spec.feeds(**sizes)
            try:
                expected = reference(feeds)
            except RunError:  # the model cannot do it itself: no fault of the artifact
                continue
            shown = ", ".join(f"{name}={size}" for name, size in sizes.items()) or "its only size"
            try:
                results = runner(feeds)
            except DummyioError as error:
                raise ExportError(
                    f"what was written does not run at {shown}, where the model does: {error} {_REMEDY}"
                ) from error
            for problem in _wrong(expected, results, coarse=coarse):
                raise ExportError(f"what was written is wrong at {shown}: {problem} {_REMEDY}")


_REMEDY = "Mostly a size was taken for a constant: fix sizes with static='all_but_batch', 'all' or the names of dims."


def prepare(model: Any, spec: InputSpec, static: StaticDims = None) -> ExportJob:
    """Return what to export; `static` as in `narrowed`.

    Raises
    ------
    ExportError
        where the model cannot be traced on the spec's symbols.
    """
    if not spec.leaves:
        raise ExportError("the spec has no inputs: there is nothing to export.")
    spec, notes = narrowed(spec, static)
    whole = exported_model(model) if isinstance(model, jax.export.Exported) else to_pure_function(model)
    try:
        with enable_wide_dtypes(leaf.dtype for _, leaf in spec.leaves):
            result = jax.eval_shape(whole, spec.abstract("jax"))
        outputs = output_specs(result, spec.dims, tuple(output.name for output in spec.outputs))
    except DTypeError:
        raise
    except Exception as error:
        raise ExportError(
            f"{whole.name} cannot be traced on the spec's symbols. {format_error_line(error)} {_REMEDY}"
        ) from error
    if not outputs:
        raise ExportError(f"{whole.name} returns no array: there is nothing to export.")
    spec = InputSpec(dict(spec), task=spec.task, outputs=outputs, provenance=spec.provenance)
    wide = [path for path, leaf in spec.leaves if leaf.dtype in NARROW]
    if wide and not jax.config.read("jax_enable_x64"):
        notes += (
            f"{', '.join(wide)} are of 64 bits: the model was traced with jax_enable_x64, as its runner runs it.",
        )
    return ExportJob(whole, spec, (*whole.notes, *notes))


def format_error_line(error: BaseException) -> str:
    """Return an exception in one line that is not too long."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:500]}{'...' if len(text) > 500 else ''}"


def _differences(runner: Runner, spec: InputSpec) -> Iterator[str]:
    ports = {port.name: port for port in runner.inputs or ()}
    for path, leaf in spec.leaves:
        port = ports.get(path)
        if port is None:
            yield f"input {path!r} is not there, only {', '.join(ports) or 'none'}."
        elif port.dtype is not leaf.dtype:
            yield f"input {path!r} has dtype {port.dtype}, not {leaf.dtype}."
        elif not _fits(port, [evaluate_size(size) if is_static(size) else str(size) for size in leaf.shape]):
            yield f"input {path!r} has shape {port.shape}, not {leaf.shape}."
    names = [port.name for port in runner.outputs or ()]
    if runner.outputs is not None and set(names) != {output.name for output in spec.outputs}:
        yield f"the outputs are {', '.join(names)}, not {', '.join(output.name for output in spec.outputs)}."


def _fits(port: DeclaredTensor, sizes: list[int | str]) -> bool:
    """Whether ints are equal and the rest is free; what a symbol is called is the format's affair."""
    have = port.shape if port.shape is not None else (None,) * len(sizes)
    return len(have) == len(sizes) and all(
        own == size if isinstance(size, int) and own is not None else not isinstance(own, int)
        for own, size in zip(have, sizes, strict=True)
    )


def _wrong(expected: dict[str, Array], results: dict[str, Array], *, coarse: bool) -> Iterator[str]:
    if set(results) != set(expected):
        yield f"it returns {', '.join(results)}, the model {', '.join(expected)}."
        return
    for name, values in expected.items():
        own = results[name]
        if own.shape != values.shape or (own.dtype != values.dtype and not coarse):
            yield f"{name!r} is {own.dtype}{list(own.shape)}, in the model {values.dtype}{list(values.shape)}."
        elif values.size:
            yield from _apart(name, values, own, _COARSE if coarse else _SHARE.get(values.dtype.name, _COARSE))


def _apart(name: str, expected: Array, own: Array, share: float) -> Iterator[str]:
    kind = expected.dtype.kind if expected.dtype.kind in "biu" else "c" if expected.dtype.kind == "c" else "f"
    if kind in "biu":
        unequal = float((expected != own).mean())
        if unequal > _COARSE:
            yield f"{name!r} differs in {unequal:.0%} of its elements."
        return
    wide = np.complex128 if kind == "c" else np.float64
    mine, other = expected.astype(wide), own.astype(wide)
    known = np.isfinite(mine)
    if (np.isfinite(other) != known).any():
        yield f"{name!r} is not finite where the model is, or the reverse."
        return
    if not known.any():
        return
    error, scale = float(np.abs(mine - other)[known].max()), float(np.abs(mine[known]).max())
    if error > share * scale + 1e-5:
        yield f"{name!r} is off by {error:.2g} where the largest value is {scale:.2g}."
