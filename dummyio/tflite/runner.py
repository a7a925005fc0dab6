"""TFLite files as runners: LiteRT's interpreter, addressed by signature."""

import importlib.metadata
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dummyio.errors import DTypeError, RunError, build_trust_error, format_error_line
from dummyio.input_spec import InputSpec
from dummyio.running.named_feeds import FeedMap, choose_fitting_signature, merge_signatures, select_signatures
from dummyio.running.runner import DeclaredTensor
from dummyio.spec.dtypes import DType
from dummyio.tflite.interpreter import (
    UNNAMED,
    Details,
    declared_axes,
    list_signatures,
    open_interpreter,
    silence_litert,
)
from dummyio.tflite.operator_trust import find_tflite_dangers
from dummyio.tflite.read_model import keeps_state, read_model, refuse_damage
from dummyio.typing import Array

_WHOLE = ("int", "uint")


class TfliteRunner:
    """A TFLite file. Numbers that it holds as integers with a scale are real numbers here, if the spec has real numbers."""

    def __init__(
        self, path: Path, spec: InputSpec | None, *, trust: bool = False, signature: str | None = None
    ) -> None:
        """Open the file, to call one signature of it alone if that is given.

        Raises
        ------
        OptionError
            if the file lacks the signature.
        SourceError
            if LiteRT does not read it, or the spec's inputs are not the file's.
        TrustError
            if it has operators of others, or weights in other files, unless `trust`.
        NotInstalledError
            without LiteRT.
        """
        with refuse_damage(path):
            model = read_model(path)
            dangers = [] if trust else find_tflite_dangers(model)
            if dangers:
                raise build_trust_error(path, dangers)
            self._path, self._keeps_state = path, keeps_state(model)
            self._interpreter = open_interpreter(path)
            inputs, outputs = list_signatures(self._interpreter)
            sides = {name: (inputs[name], outputs[name]) for name in inputs}
            chosen = select_signatures(sides, spec, signature, str(path))
            self._inputs, self._outputs = ({name: side[name] for name in chosen} for side in (inputs, outputs))
            self._declared, each = (
                {name: [_declared_tensor(key, one) for key, one in details.items()] for name, details in side.items()}
                for side in (self._inputs, self._outputs)
            )
        self.engine = f"ai-edge-litert {importlib.metadata.version('ai-edge-litert')}"
        given = merge_signatures(each)
        self._feed_map = FeedMap(str(path), self._declared, [tensor.name for tensor in given], spec)
        self._real = _find_real_names(spec, self._feed_map.inputs, given)
        self.inputs = self._feed_map.inputs = self._with_real_dtypes(self._feed_map.inputs)
        self.outputs = self._with_real_dtypes(self._feed_map.order_outputs(given))
        self._called = False

    def _with_real_dtypes(self, tensors: tuple[DeclaredTensor, ...]) -> tuple[DeclaredTensor, ...]:
        return tuple(
            replace(tensor, dtype=DType.FLOAT32) if tensor.name in self._real else tensor for tensor in tensors
        )

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run the signature that takes these shapes, from a fresh state; see `dummyio.running.runner.Runner`."""
        own = self._feed_map.check_feeds(feeds)
        name = choose_fitting_signature(self._declared, own, self.engine)
        values = {key: _encode(array, self._inputs[name][key]) for key, array in own.items()}
        if self._called and self._keeps_state:  # no interpreter writes the first values of its variables again
            self._interpreter, self._called = open_interpreter(self._path), False
        try:
            if self._called:
                found = self._run(name, values)
            else:
                with silence_litert():  # the first call makes delegates, which print messages
                    found = self._run(name, values)
                self._called = True
        except Exception as error:
            raise RunError(f"{self.engine} failed: {format_error_line(error)}") from error
        details = self._outputs[name]
        return self._feed_map.order_results(
            {
                key: _decode(array, details[key]) if key in self._real else np.array(array)
                for key, array in found.items()
            }
        )

    def _run(self, name: str, values: Mapping[str, Array]) -> dict[str, Array]:
        if name != UNNAMED:
            return self._interpreter.get_signature_runner(name)(**values)
        for key, array in values.items():
            self._interpreter.resize_tensor_input(self._inputs[name][key]["index"], array.shape, strict=True)
        self._interpreter.allocate_tensors()
        for key, array in values.items():
            self._interpreter.set_tensor(self._inputs[name][key]["index"], array)
        self._interpreter.invoke()
        return {key: self._interpreter.get_tensor(one["index"]) for key, one in self._outputs[name].items()}


def _declared_tensor(name: str, details: Details) -> DeclaredTensor:
    try:
        return DeclaredTensor(name, declared_axes(details), DType.of(np.dtype(details["dtype"])))
    except (DTypeError, TypeError):
        return DeclaredTensor(name, declared_axes(details))


def _has_scale(details: Details) -> bool:
    return len(details["quantization_parameters"]["scales"]) == 1


def _find_real_names(
    spec: InputSpec | None, inputs: tuple[DeclaredTensor, ...], outputs: list[DeclaredTensor]
) -> set[str]:
    """Return the inputs and outputs that are integers in the file and real numbers in the spec."""
    if spec is None:
        return set()
    leaves = dict(spec.leaves)
    whole = [tensor.name for tensor in inputs if tensor.dtype is not None and tensor.dtype.kind in _WHOLE]
    found = {name for name in whole if leaves[name].dtype.kind == "float"}
    kinds = {output.name: output.dtype.kind for output in spec.outputs if output.dtype is not None}
    otherwise = "float" if found else ""
    whole = [tensor.name for tensor in outputs if tensor.dtype is not None and tensor.dtype.kind in _WHOLE]
    return found | {name for name in whole if kinds.get(name, otherwise) == "float"}


def _encode(values: Array, details: Details) -> Array:
    """Return a feed as the file's integers, if it has real numbers and the file a scale; always a copy."""
    if values.dtype.kind in "OUT":
        return np.array([text.encode("utf-8", "surrogateescape") for text in values.flat], object).reshape(values.shape)
    dtype: np.dtype[Any] = np.dtype(details["dtype"])
    if values.dtype == dtype or values.dtype.kind not in "fV" or not _has_scale(details):
        return np.array(values)
    scale, zero = details["quantization"]
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values.astype(np.float64) / scale) + zero, limits.min, limits.max).astype(dtype)


def _decode(values: Array, details: Details) -> Array:
    if not _has_scale(details):
        return np.array(values)
    scale, zero = details["quantization"]
    return ((values.astype(np.float64) - zero) * scale).astype(np.float32)
