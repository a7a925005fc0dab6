"""ONNX models as functions of named feeds, in ONNX Runtime or in ONNX's own evaluator."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from dummyio.backend.list_feeds import gather_lists
from dummyio.errors import DTypeError, OptionError, RunError, SourceError, format_error_line
from dummyio.input_spec import InputSpec
from dummyio.running.runner import DeclaredTensor, check_feed_names
from dummyio.spec.dtypes import DType
from dummyio.typing import Array
from dummyio_onnx.read_model import expand_inputs, find_graph_inputs
from dummyio_onnx.running.custom_operators import Libraries, list_libraries
from dummyio_onnx.running.declared_values import declare_session_values, declare_values, match_paths
from dummyio_onnx.running.nested_results import expand_result
from dummyio_onnx.running.sessions import load_model_proto, open_evaluator, open_session, open_wider_session
from dummyio_onnx.tensors import run_with_ort_values

Compute = Callable[[dict[str, Array]], Sequence[Any]]
"""Feeds → outputs in order: arrays, or sequences, maps and None."""
_NARROW = DType.BFLOAT16


class OnnxRunner:
    """An open model, in one session for all calls."""

    def __init__(
        self,
        engine: str,
        inputs: Sequence[DeclaredTensor],
        outputs: Sequence[DeclaredTensor],
        compute: Compute,
        spec: InputSpec | None,
    ) -> None:
        """Keep the function that runs the model under its own names, and declare the inputs under the spec's paths."""
        self.engine = engine
        self._paths = match_paths([declared.name for declared in inputs], spec)
        self.compute = compute
        self.inputs = tuple(replace(declared, name=self._paths[declared.name]) for declared in inputs)
        self.outputs = tuple(outputs)

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run on these feeds; see `dummyio.running.runner.Runner`."""
        check_feed_names(feeds, self._paths.values())
        own = {name: np.asarray(feeds[path]) for name, path in self._paths.items()}
        try:
            results = self.compute(own)
        except Exception as error:  # the exceptions of ONNX Runtime have no common base class
            raise RunError(f"{self.engine} failed: {format_error_line(error)}") from error
        named = zip(self.outputs, results, strict=True)
        return dict(part for declared, value in named for part in expand_result(declared.name, value))


def open_runner(target: Any, spec: InputSpec | None, engine: str | None, custom_ops: Libraries = None) -> OnnxRunner:
    """Open a file, a folder with one model, a ``ModelProto`` or an ``InferenceSession`` as a runner.

    Parameters
    ----------
    target, spec
        As in `dummyio.open_runner`.
    engine
        ``"onnxruntime"``, or ``"reference"`` for ONNX's own evaluator, which is slow and has every operator's definition.
    custom_ops
        Libraries of custom operators for ONNX Runtime.

    Raises
    ------
    SourceError
        If the target is not a model, or the engine does not open it; or a library is none.
    OptionError
        If the engine has another name, or takes no libraries.
    """
    if engine not in (None, "onnxruntime", "reference"):
        raise OptionError(f"engine={engine!r} does not run ONNX models: use 'onnxruntime' or 'reference'.")
    libraries = list_libraries(custom_ops)
    if libraries and (engine == "reference" or isinstance(target, ort.InferenceSession)):
        raise OptionError(
            "custom_ops: a library is registered before ONNX Runtime opens a model: give the model's file."
        )
    if isinstance(target, ort.InferenceSession):
        if engine == "reference":
            raise OptionError("engine='reference': a session belongs to ONNX Runtime; give the model itself.")
        inputs = declare_session_values(target.get_inputs(), expand=True)
        return _run_session(target, inputs, declare_session_values(target.get_outputs()), spec)
    path, model = load_model_proto(target)
    inputs, outputs = declare_values(expand_inputs(find_graph_inputs(model.graph))), declare_values(model.graph.output)
    if engine != "reference":
        return _open_in_session(path, model, (inputs, outputs), spec, libraries)
    evaluator = open_evaluator(path, model)
    name = f"onnx.reference {onnx.__version__}"
    return OnnxRunner(name, inputs, outputs, lambda feeds: _evaluate(evaluator, feeds, inputs), spec)


def _open_in_session(
    path: Path | None,
    model: onnx.ModelProto,
    values: tuple[Sequence[DeclaredTensor], Sequence[DeclaredTensor]],
    spec: InputSpec | None,
    libraries: Sequence[Path],
) -> OnnxRunner:
    """Open a model in ONNX Runtime; in float32 if it is in bfloat16 and the processor lacks kernels for that."""
    try:
        return _run_session(open_session(path, model, libraries=libraries), *values, spec)
    except SourceError as error:
        session = open_wider_session(path, model) if "NOT_IMPLEMENTED" in str(error) else None
        if session is None:
            raise
    runner = _run_session(session, *values, spec)
    outputs = [declared.dtype for declared in values[1]]

    def compute(feeds: dict[str, Array]) -> list[Array]:
        wide = {
            name: array.astype(np.float32) if DType.of(array.dtype) is _NARROW else array
            for name, array in feeds.items()
        }
        results = runner.compute(wide)
        return [
            array if dtype is not _NARROW else array.astype(_NARROW.numpy)
            for array, dtype in zip(results, outputs, strict=True)
        ]

    return OnnxRunner(f"{runner.engine}, bfloat16 as float32", *values, compute, spec)


def _run_session(
    session: ort.InferenceSession,
    inputs: Sequence[DeclaredTensor],
    outputs: Sequence[DeclaredTensor],
    spec: InputSpec | None,
) -> OnnxRunner:
    names = [declared.name for declared in outputs]

    has_tensors = all(value.type.startswith("tensor(") for value in (*session.get_inputs(), *session.get_outputs()))
    taken = [value.name for value in session.get_inputs()]

    def compute(feeds: dict[str, Array]) -> list[Any]:
        if has_tensors:
            return list(run_with_ort_values(session, feeds, names).values())
        return list(session.run(names, gather_lists(feeds, taken)))

    engine = f"onnxruntime {ort.__version__} on {session.get_providers()[0]}"
    return OnnxRunner(engine, inputs, outputs, compute, spec)


def _evaluate(evaluator: Any, feeds: dict[str, Array], inputs: Sequence[DeclaredTensor]) -> list[Any]:
    """Run the evaluator, which would accept any dtype, on copies: its operators may write on their inputs."""
    for declared in inputs:
        given = DType.of(feeds[declared.name].dtype)
        if declared.dtype not in (None, given):
            raise DTypeError(f"input {declared.name!r} is {given.value}; the model declares {declared.dtype}.")
    copied = {name: np.array(values) for name, values in feeds.items()}
    results = evaluator.run(None, gather_lists(copied, evaluator.input_names))
    return list(results)
