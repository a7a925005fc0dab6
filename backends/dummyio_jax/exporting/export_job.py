"""The first and the last step of every export: prepare the model and its spec, check what was written."""

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.export

from dummyio.errors import DummyioError, ExportError, format_error_line
from dummyio.exporting.artifact import ExportResult
from dummyio.exporting.artifact_check import check_artifact
from dummyio.exporting.stages import report_stage
from dummyio.exporting.static_dims import fix_dims
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim, collect_dims
from dummyio.spec.tensor_spec import build_nested
from dummyio.typing import StaticDims
from dummyio_jax.calling.exported_function import wrap_exported
from dummyio_jax.calling.output_specs import build_output_specs
from dummyio_jax.calling.pure_function import Model, to_pure_function
from dummyio_jax.calling.pytrees import name_results, to_builtin_containers
from dummyio_jax.precision import NARROW, enable_wide_dtypes
from dummyio_jax.running.function_runner import FunctionRunner
from dummyio_jax.signature import abstract

_PROBES = 2
"""Number of probes that an artifact runs at: those with all sizes different, of all dims twice."""


@dataclass(frozen=True)
class ExportJob:
    """A model that is being exported."""

    model: Model
    spec: InputSpec
    """The spec with outputs that have the names and the order of a runner of the model."""
    notes: tuple[str, ...]

    @property
    def paths(self) -> list[str]:
        """The paths of the inputs, in the spec's order."""
        return [path for path, _ in self.spec.leaves]

    @property
    def outputs(self) -> list[str]:
        """The names of the outputs, in order."""
        return [output.name for output in self.spec.outputs]

    def abstract(self) -> dict[str, jax.ShapeDtypeStruct]:
        """Return path → shape and dtype, with the symbols of one scope, in the spec's order."""
        return abstract(dict(self.spec.leaves))

    def enable_wide_dtypes(self) -> AbstractContextManager[None]:
        """Return a context in which no input is narrowed."""
        return enable_wide_dtypes(leaf.dtype for _, leaf in self.spec.leaves)

    def nest(self, leaves: dict[str, Any]) -> dict[str, Any]:
        """Return values by path as the inputs of the model."""
        return {name: build_nested(node, leaves, name) for name, node in self.spec.items()}

    def flatten(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return path → value for inputs of the model whose containers may have become built-in ones."""
        paths = jax.tree.leaves(to_builtin_containers(self.nest({path: path for path in self.paths})))
        return dict(zip(paths, jax.tree.leaves(to_builtin_containers(inputs)), strict=True))

    def call_flat(self, leaves: Sequence[Any]) -> dict[str, Any]:
        """Call the model on its flat inputs, in the spec's order, and return name → result."""
        with self.enable_wide_dtypes():
            result = self.model(self.nest(dict(zip(self.paths, leaves, strict=True))))
            return name_results(result, tuple(self.outputs), self.paths)

    def finish(self, path: Path, *, can_run: bool = True, **options: Any) -> ExportResult:
        """Check the written artifact, against the model itself if this machine `can_run` it; `options` of `check_artifact`."""
        reference = FunctionRunner(self.model, self.spec, is_quick=True) if can_run else None
        sizes = self.spec.probes()[:_PROBES]
        notes = check_artifact(path, self.spec, self.outputs, reference=reference, sizes=sizes, **options)
        return ExportResult(self.spec, (*self.notes, *notes))


def prepare_export(model: Any, spec: InputSpec, static: StaticDims) -> ExportJob:
    """Return the model as an export job, with the dims fixed that `static` names, as in `fix_dims`.

    Raises
    ------
    ExportError
        if the spec has no inputs, or the model returns no arrays or cannot be traced on the spec's symbols.
    """
    if not spec.leaves:
        raise ExportError("the spec has no inputs: there is nothing to export.")
    spec, notes = fix_dims(spec, static)
    spec, more = _exclude_empty(spec)
    function = wrap_exported(model) if isinstance(model, jax.export.Exported) else to_pure_function(model)
    remedy = "A size may have to be static: fix sizes with static='all_but_batch', 'all' or the names of dims."
    with (
        report_stage("trace", function.name),
        raise_export_error(f"{function.name} cannot be traced on the spec's symbols", remedy),
        enable_wide_dtypes(leaf.dtype for _, leaf in spec.leaves),
    ):
        result = jax.eval_shape(function, spec.abstract("jax"))
        names, paths = tuple(output.name for output in spec.outputs), [path for path, _ in spec.leaves]
        outputs = build_output_specs(result, spec.dims, names, paths)
    if not outputs:
        raise ExportError(f"{function.name} returns no array: there is nothing to export.")
    spec = InputSpec(dict(spec), task=spec.task, outputs=outputs, provenance=spec.provenance)
    wide = ", ".join(path for path, leaf in spec.leaves if leaf.dtype in NARROW)
    if wide and not jax.config.read("jax_enable_x64"):
        more += (f"{wide} have 64 bits: the model was traced with jax_enable_x64, and its runner runs it so.",)
    return ExportJob(function, spec, (*function.notes, *notes, *more))


@contextmanager
def raise_export_error(summary: str, remedy: str = "") -> Generator[None]:
    """Raise any failure inside as an `ExportError` that begins with `summary`; errors of dummyio pass as they are."""
    try:
        yield
    except DummyioError:
        raise
    except Exception as error:
        raise ExportError(f"{summary}: {format_error_line(error)} {remedy}".rstrip()) from error


def _exclude_empty(spec: InputSpec) -> tuple[InputSpec, tuple[str, ...]]:
    """Return the spec with dims that are at least 1, and a note if some could be 0.

    JAX decides comparisons of symbols as if none of them were 0, so that an artifact may be wrong for an empty input.
    """
    dims = collect_dims(size for _, leaf in spec.leaves for size in leaf.shape)
    filled = {name: _exclude_zero(dim) for name, dim in dims.items() if not dim.fixed and dim.takes(0)}
    if not filled:
        return spec, ()
    note = f"JAX symbols are at least 1: the artifact does not take an empty {', '.join(filled)}. Fix it at 0 for that case."
    return spec.with_dims(**filled), (note,)


def _exclude_zero(dim: Dim) -> Dim:
    choices = None if dim.choices is None else tuple(choice for choice in dim.choices if choice)
    least = max(dim.min, 1)
    size = dim.size or (min(choices) if choices else -(-least // dim.multiple_of) * dim.multiple_of)
    return replace(dim, size=size, min=least, choices=choices)
