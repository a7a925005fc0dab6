"""Proves the spec of a function, a Flax module or an exported function: JAX evaluates it on shapes, or compiles and runs it."""

import os
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

import jax
import jax.export

from dummyio.errors import DummyioError, MemoryBudgetError
from dummyio.input_spec import InputSpec
from dummyio.materialize.generate import to_framework
from dummyio.materialize.memory_budget import format_bytes
from dummyio.sources.proof.budget import MAX_RUN_BYTES
from dummyio.sources.proof.prove_spec import prove_spec
from dummyio.sources.proof.result_digest import digest_results
from dummyio.sources.proof.spec_changes import fix_sizes
from dummyio.sources.proof.subject import Level, Run
from dummyio.sources.proof.versions import find_version
from dummyio.typing import Array
from dummyio_jax.calling.exported_function import open_exported, wrap_exported
from dummyio_jax.calling.exported_module import find_exported_dangers
from dummyio_jax.calling.pure_function import Model, to_pure_function
from dummyio_jax.precision import enable_wide_dtypes


def prove(source: Any, spec: InputSpec, level: str, keywords: Mapping[str, Any]) -> InputSpec:
    """Return a spec that a source takes, with its proof; parameters and errors as in `dummyio.sources.prove_model.prove_source`."""
    return prove_spec(_build_subject(source), spec, level, given=keywords.keys() & spec.dims.keys())


def _build_subject(source: Any) -> "FunctionSubject":
    is_file = isinstance(source, (str, os.PathLike))
    if not is_file and not isinstance(source, jax.export.Exported):
        return FunctionSubject(to_pure_function(source))
    exported: jax.export.Exported = open_exported(source) if is_file else source
    dangers = find_exported_dangers(exported.mlir_module_serialized) if is_file else []
    subject = FunctionSubject(wrap_exported(exported), dangers)
    if is_file:  # JAX does not write the bounds of symbols: the module itself checks them when it is compiled
        subject.unseen = ("bounds of sizes that the module checks, which prove='values' runs",)
    return subject


class FunctionSubject:
    """A pure function of named inputs.

    Its description has been traced on symbolic sizes already, which stand for all sizes; runs at a few numbers show what symbols hide:
    sizes that are not divided without a rest, and checks of sizes in Python.
    """

    levels: tuple[Level, ...] = ("shapes",)
    runs = 4
    guessed: Collection[str] = ()

    unseen: tuple[str, ...] = ()

    def __init__(self, model: Model, dangers: Collection[str] = ()) -> None:
        self._model, self._dangers = model, dangers
        self.label = model.name
        packages = [] if model.package is None else [model.package]
        self.versions: Mapping[str, str] = {"jax": jax.__version__, **{name: find_version(name) for name in packages}}

    def find_obstacle(self, level: Level, *, asked: bool) -> str | None:
        """Return why the function cannot be run; see `dummyio.sources.proof.subject.Subject`."""
        del asked
        if level == "values" and self._dangers:
            return f"the file contains {', '.join(self._dangers)}, which can run code"
        return None

    def run(
        self, spec: InputSpec, sizes: Mapping[str, int], level: Level, feeds: dict[str, Array] | None = None
    ) -> Run:
        """Evaluate the function on shapes, or compile it, which shows what it will allocate, and run it."""
        try:
            fixed = fix_sizes(spec, sizes)
            shapes = fixed.abstract("jax")
            with enable_wide_dtypes(leaf.dtype for _, leaf in spec.leaves):
                if level == "shapes":
                    jax.eval_shape(partial(self._model), shapes)
                    return Run("took")
                compiled: Any = jax.jit(partial(self._model)).lower(shapes).compile()
                needed = _count_bytes(compiled)
                if needed > MAX_RUN_BYTES:
                    return Run("unknown", MemoryBudgetError(f"it would take {format_bytes(needed)}"))
                inputs = fixed.generate("jax") if feeds is None else to_framework(fixed, feeds, "jax")
                results = jax.block_until_ready(compiled(inputs))
                digest = None if feeds is None else digest_results(jax.tree.leaves(results))
        except DummyioError as error:  # the values or the symbols of the spec itself
            return Run("unknown", error)
        except Exception as error:  # noqa: BLE001 - a function may raise anything
            return Run("refused", error)
        return Run("took", digest=digest)


def _count_bytes(compiled: Any) -> int:
    """Return the bytes that a compiled function allocates; 0 if its compiler does not tell."""
    found = compiled.memory_analysis()
    return sum(int(getattr(found, f"{name}_size_in_bytes", 0)) for name in ("temp", "output"))
