"""ONNX models as functions of named feeds, in ONNX Runtime or in ONNX's own evaluator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from dummyio.errors import DTypeError, OptionError, RunError
from dummyio.input_spec import InputSpec
from dummyio.running.runner import DeclaredTensor, check_feed_names
from dummyio.spec.dtypes import DType
from dummyio.typing import Array
from dummyio_onnx.running.model_ports import input_values, model_ports, paths_of, session_ports
from dummyio_onnx.running.sessions import load_model_proto, open_evaluator, open_session
from dummyio_onnx.tensors import run_with_ort_values

__all__ = ["OnnxRunner", "runner"]

Compute = Callable[[dict[str, Array]], Sequence[Array]]


class OnnxRunner:
    """A model that is open: in one session, for all calls."""

    def __init__(
        self,
        engine: str,
        inputs: Sequence[DeclaredTensor],
        outputs: Sequence[DeclaredTensor],
        compute: Compute,
        spec: InputSpec | None,
    ) -> None:
        """Keep what runs it, under the model's own names, and show the spec's paths."""
        self.engine = engine
        self._paths = paths_of([port.name for port in inputs], spec)
        self._compute = compute
        self.inputs = tuple(replace(port, name=self._paths[port.name]) for port in inputs)
        self.outputs = tuple(outputs)

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run on these feeds; see `dummyio.runner.Runner`."""
        check_feed_names(feeds, self._paths.values())
        own = {name: np.asarray(feeds[path]) for name, path in self._paths.items()}
        try:
            results = self._compute(own)
        except Exception as error:  # no common root: see `open_session`
            raise RunError(f"{self.engine} failed: {' '.join(str(error).split())}") from error
        return {port.name: values for port, values in zip(self.outputs, results, strict=True)}


def runner(target: Any, spec: InputSpec | None, engine: str | None) -> OnnxRunner:
    """Return a file, a folder with one model, a ``ModelProto`` or an ``InferenceSession`` as a runner.

    Parameters
    ----------
    target, spec
        As in `dummyio.open_runner`.
    engine
        ``"onnxruntime"``, or ``"reference"`` for ONNX's own evaluator, which is slow and knows every operator's definition.

    Raises
    ------
    SourceError
        for what is no model, or not one that the engine opens.
    OptionError
        for another engine.
    """
    if engine not in (None, "onnxruntime", "reference"):
        raise OptionError(f"engine={engine!r} runs no ONNX models: use 'onnxruntime' or 'reference'.")
    if isinstance(target, ort.InferenceSession):
        if engine == "reference":
            raise OptionError("engine='reference': a session is ONNX Runtime's; give the model itself.")
        return _of_session(target, session_ports(target.get_inputs()), session_ports(target.get_outputs()), spec)
    path, model = load_model_proto(target)
    inputs, outputs = model_ports(input_values(model.graph)), model_ports(model.graph.output)
    if engine == "reference":
        evaluator = open_evaluator(path, model)
        return OnnxRunner(
            f"onnx.reference {onnx.__version__}",
            inputs,
            outputs,
            lambda feeds: _evaluated(evaluator, feeds, inputs),
            spec,
        )
    return _of_session(open_session(path, model), inputs, outputs, spec)


def _of_session(
    session: ort.InferenceSession,
    inputs: Sequence[DeclaredTensor],
    outputs: Sequence[DeclaredTensor],
    spec: InputSpec | None,
) -> OnnxRunner:
    names = [port.name for port in outputs]

    def compute(feeds: dict[str, Array]) -> list[Array]:
        return list(run_with_ort_values(session, feeds, names).values())

    return OnnxRunner(f"onnxruntime {ort.__version__}", inputs, outputs, compute, spec)


def _evaluated(evaluator: Any, feeds: dict[str, Array], inputs: Sequence[DeclaredTensor]) -> list[Array]:
    """Run the evaluator, which would compute with whatever dtype it is given, on copies: its operators may write."""
    for port in inputs:
        given = DType.of(feeds[port.name].dtype)
        if port.dtype not in (None, given):
            raise DTypeError(f"input {port.name!r} is {given.value}; the model declares {port.dtype}.")
    results = evaluator.run(None, {name: np.array(values) for name, values in feeds.items()})
    return [np.asarray(values) for values in results]
