"""Keras models, functions and modules in memory, as a proof runs them: traced on shapes, called on values."""

import sys
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

from dummyio.errors import DummyioError, MemoryBudgetError, RunError
from dummyio.input_spec import InputSpec
from dummyio.keras.calls import is_keras
from dummyio.materialize.generate import to_framework
from dummyio.materialize.memory_budget import format_bytes
from dummyio.process_state import ignore_warnings
from dummyio.sources.declared import Declared
from dummyio.sources.proof.budget import Budget
from dummyio.sources.proof.result_digest import digest_results
from dummyio.sources.proof.spec_changes import fix_sizes
from dummyio.sources.proof.subject import Level, Run
from dummyio.typing import Array
from dummyio_tensorflow.calling.bind_model import bind_spec
from dummyio_tensorflow.calling.frozen_function import trace_model, without_xla
from dummyio_tensorflow.calling.silence import silence_output
from dummyio_tensorflow.description.trial_traces import measure_results
from dummyio_tensorflow.graph_edits.variable_writes import find_writes

_MOST_STATE = 1 << 26
"""Bytes of variables that a call may change, up to which they are kept and restored."""
_GAP = "\n\n"


class LiveModel:
    """A model in memory. What a call of it writes is restored, or the model is not called."""

    levels: tuple[Level, ...] = ("values", "shapes")
    runs = 8
    unseen: tuple[str, ...] = ()

    def __init__(self, declared: Declared) -> None:
        self._declared = declared
        self._model = declared.callable
        self.label = declared.label
        self.guessed: Collection[str] = sorted(declared.guessed)
        packages = [tf] if (keras := _find_keras(self._model)) is None else [tf, keras]
        self.versions: Mapping[str, str] = {each.__name__: str(each.__version__) for each in packages}
        self._results: tuple[int, int] | None = None

    def find_obstacle(self, level: Level, *, asked: bool) -> str | None:
        """Return why the model cannot be run; see `dummyio.sources.proof.subject.Subject`."""
        del asked
        if level == "shapes":
            return None
        weights = sum(_count_variable(variable) for variable in _list_variables(self._model))
        most = Budget().weights
        if weights > most:
            return f"its weights take {format_bytes(weights)}, and the limit is {format_bytes(most)}"
        if is_keras(self._model):
            state = sum(_count_variable(variable) for variable in _list_state(self._model))
            return f"a call may change {format_bytes(state)} of variables" if state > _MOST_STATE else None
        graph = getattr(self._model, "graph", None)  # of a concrete function
        concrete = [one.graph for one in _list_traces(self._model)] if graph is None else [graph]
        written = sorted({name for each in concrete for name in find_writes(each)})
        return f"a call changes its state ({', '.join(written[:3])})" if written else None

    def run(
        self, spec: InputSpec, sizes: Mapping[str, int], level: Level, feeds: dict[str, Array] | None = None
    ) -> Run:
        """Trace the model on shapes, or call it on the values of the spec, or on the given ones."""
        if level == "shapes":
            return self._trace(fix_sizes(spec, sizes))
        needed = self._estimate_bytes(spec, sizes)
        if needed > Budget().memory:
            return Run("unknown", MemoryBudgetError(f"it would take about {format_bytes(needed)}"))
        try:
            inputs = spec.generate("tf", **sizes) if feeds is None else to_framework(spec, feeds, "tf")
            call = bind_spec(self._model, spec)
        except DummyioError as error:
            return Run("unknown", error)
        try:
            with ignore_warnings(), _keep_state(self._model):
                results = call(inputs)
                digest = None if feeds is None else digest_results(results)
        except Exception as error:  # noqa: BLE001 - a model may raise anything
            is_unknown = isinstance(error, (MemoryError, tf.errors.ResourceExhaustedError))
            return Run("unknown" if is_unknown else "refused", _leave_out_calls(error))
        return Run("took", digest=digest)

    def _trace(self, spec: InputSpec) -> Run:
        try:
            with silence_output(), without_xla():
                trace_model(self._model, spec)
        except DummyioError as error:  # without a cause, it is not the model that refuses
            return Run("unknown" if error.__cause__ is None else "refused", error)
        return Run("took")

    def _estimate_bytes(self, spec: InputSpec, sizes: Mapping[str, int]) -> int:
        """Return the bytes of all results of a call: counted in one trace, and grown with the square of the inputs."""
        if self._results is None:
            self._results = measure_results(self._model, spec)
        total, inputs = self._results
        growth = max(spec.nbytes(**sizes) / max(inputs, 1), 1.0)
        return int(total * growth**2)


def _leave_out_calls(error: Exception) -> Exception:
    """Return an error of a graph without the calls that made its operations, which come before the reason."""
    text = str(error)
    if not text.startswith("Graph execution error"):
        return error
    kind, reason = type(error), text.strip().rpartition(_GAP)[2]
    return RunError(f"{kind.__name__}: {reason}")


def _find_keras(model: Any) -> Any:
    """Return the package of a Keras model; None for another model."""
    roots = (kind.__module__.partition(".")[0] for kind in type(model).__mro__)
    root = next((root for root in roots if root in ("keras", "tf_keras")), None)
    return sys.modules.get(root) if root is not None else None


def _list_variables(model: Any) -> list[Any]:
    return list(getattr(model, "variables", None) or ())


def _list_state(model: Any) -> list[Any]:
    """Return the variables that a call may change: those that training does not, and counters of random numbers."""
    return [variable for variable in _list_variables(model) if not getattr(variable, "trainable", True)]


def _list_traces(function: Any) -> list[Any]:
    listed = getattr(function, "_list_all_concrete_functions", None)
    return list(listed()) if listed is not None else []


def _count_variable(variable: Any) -> int:
    shape = tuple(variable.shape)
    return int(np.prod(shape, dtype=np.int64)) * max(tf.as_dtype(variable.dtype).size, 1)


@contextmanager
def _keep_state(model: Any) -> Generator[None]:
    """Restore the variables of a Keras model that a call changes."""
    before = [(variable, variable.numpy()) for variable in _list_state(model)] if is_keras(model) else []
    try:
        yield
    finally:
        for variable, value in before:
            if not np.array_equal(variable.numpy(), value):
                variable.assign(value)
