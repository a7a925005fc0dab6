"""TFLite files as runners: LiteRT's interpreter, addressed by signature."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dummyio.errors import DTypeError, NotInstalledError, RunError, SourceError
from dummyio.input_spec import InputSpec
from dummyio.running.runner import DeclaredTensor
from dummyio.spec.dtypes import DType
from dummyio.typing import Array
from dummyio_tensorflow.calling.silence import quiet
from dummyio_tensorflow.running.named_feeds import FeedMap, choose_fitting_signature, common

__all__ = ["PLAIN", "TfliteRunner", "declared", "open_interpreter"]


PLAIN = ""
"""What stands for the signature of a file that has none."""


class TfliteRunner:
    """A TFLite file. Numbers that it holds as integers with a scale are real numbers here, where the spec says so."""

    def __init__(self, path: Path, spec: InputSpec | None) -> None:
        """Open the file.

        Raises
        ------
        SourceError
            for what LiteRT does not read, and where the spec's inputs are not the file's.
        NotInstalledError
            without LiteRT.
        """
        self.engine = (
            f"ai-edge-litert {importlib.metadata.version('ai-edge-litert')}" if _installed() else "ai-edge-litert"
        )
        self._interpreter = open_interpreter(path)
        self._inputs, self._outputs = declared(self._interpreter)
        first = next(iter(self._inputs))
        ports = {name: tuple(_port(key, one) for key, one in each.items()) for name, each in self._inputs.items()}
        self._declared = ports
        each = {name: [_port(key, one) for key, one in outputs.items()] for name, outputs in self._outputs.items()}
        results = common(each, set(self._outputs[first]))
        self._feeding = FeedMap(str(path), ports, [port.name for port in results], spec)
        self._real = _real_names(spec, self._feeding.inputs, results)
        self.inputs = tuple(_as_real(port, self._real) for port in self._feeding.inputs)
        self.outputs = tuple(_as_real(port, self._real) for port in self._feeding.ordered(results))
        self._feeding.inputs = self.inputs
        self._called = False

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run the signature that takes these shapes; see `dummyio.runner.Runner`."""
        own = self._feeding.check(feeds)
        name = choose_fitting_signature(self._declared, own, self.engine)
        details = self._inputs[name]
        values = {key: _quantized(array, details[key]) for key, array in own.items()}
        try:
            if self._called:
                found = self._run(name, values)
            else:
                with quiet():  # the first call makes delegates, which announce themselves
                    found = self._run(name, values)
                self._called = True
        except Exception as error:
            raise RunError(f"{self.engine} failed: {_told(error)}") from error
        outputs = self._outputs[name]
        back = {
            key: _dequantized(array, outputs[key]) if key in self._real else np.array(array)
            for key, array in found.items()
        }
        return self._feeding.results(back)

    def _run(self, name: str, values: Mapping[str, Array]) -> dict[str, Array]:
        if name != PLAIN:
            return self._interpreter.get_signature_runner(name)(**values)
        for key, array in values.items():
            self._interpreter.resize_tensor_input(self._inputs[name][key]["index"], array.shape, strict=True)
        self._interpreter.allocate_tensors()
        for key, array in values.items():
            self._interpreter.set_tensor(self._inputs[name][key]["index"], array)
        self._interpreter.invoke()
        return {key: self._interpreter.get_tensor(one["index"]) for key, one in self._outputs[name].items()}


def _installed() -> bool:
    return importlib.util.find_spec("ai_edge_litert") is not None


def open_interpreter(path: Path) -> Any:
    """Return LiteRT's interpreter of a file; errors as `TfliteRunner`."""
    try:
        from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - for these files only
    except ModuleNotFoundError as error:
        raise NotInstalledError(
            "TFLite files need ai-edge-litert, which is not installed. Install it: pip install 'dummyio[tensorflow]'"
        ) from error
    try:
        with quiet():
            return Interpreter(model_path=str(path))
    except Exception as error:
        raise SourceError(
            f"{path}: LiteRT does not read it: {_told(error)} It may be damaged, or need a newer ai-edge-litert."
        ) from error


def declared(interpreter: Any) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Return signature → name → details, of inputs and of outputs, the usual signature first."""
    signatures = interpreter.get_signature_list()
    if not signatures:
        plain = ({one["name"]: one for one in interpreter.get_input_details()},)
        results = {one["name"]: one for one in interpreter.get_output_details()}
        return {PLAIN: plain[0]}, {PLAIN: results}
    order = sorted(signatures, key=lambda name: name != "serving_default")
    runners = {name: interpreter.get_signature_runner(name) for name in order}
    return (
        {name: dict(runner.get_input_details()) for name, runner in runners.items()},
        {name: dict(runner.get_output_details()) for name, runner in runners.items()},
    )


def _port(name: str, details: Mapping[str, Any]) -> DeclaredTensor:
    sizes = details["shape_signature"] if len(details["shape_signature"]) else details["shape"]
    shape = tuple(None if size < 0 else int(size) for size in sizes)
    try:
        return DeclaredTensor(name, shape, DType.of(np.dtype(details["dtype"])))
    except (DTypeError, TypeError):
        return DeclaredTensor(name, shape)


def _is_scaled(details: Mapping[str, Any]) -> bool:
    return len(details["quantization_parameters"]["scales"]) == 1


def _real_names(
    spec: InputSpec | None, inputs: tuple[DeclaredTensor, ...], outputs: list[DeclaredTensor]
) -> frozenset[str]:
    """Return the inputs and outputs that the file holds as integers and the spec as real numbers."""
    if spec is None:
        return frozenset()
    leaves = dict(spec.leaves)
    whole = ("int", "uint")
    found = {
        port.name
        for port in inputs
        if port.dtype is not None and port.dtype.kind in whole and leaves[port.name].dtype.kind == "float"
    }
    known = {output.name: output.dtype for output in spec.outputs}
    for port in outputs:
        said = known.get(port.name)
        if port.dtype is not None and port.dtype.kind in whole and (said.kind == "float" if said else bool(found)):
            found.add(port.name)
    return frozenset(found)


def _as_real(port: DeclaredTensor, real: frozenset[str]) -> DeclaredTensor:
    return DeclaredTensor(port.name, port.shape, DType.FLOAT32) if port.name in real else port


def _quantized(values: Array, details: Mapping[str, Any]) -> Array:
    """Return a feed in the file's integers, where it came as real numbers; a copy, for the interpreter may alias."""
    dtype = np.dtype(details["dtype"])
    if values.dtype == dtype or values.dtype.kind not in "fV" or not _is_scaled(details):
        return _bytes(values) if values.dtype.kind in "OUT" else np.array(values)
    scale, zero = details["quantization"]
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values.astype(np.float64) / scale) + zero, limits.min, limits.max).astype(dtype)


def _bytes(values: Array) -> Array:
    texts = [text.encode("utf-8", "surrogateescape") for text in values.reshape(-1)]
    return np.array(texts, object).reshape(values.shape)


def _dequantized(values: Array, details: Mapping[str, Any]) -> Array:
    if not _is_scaled(details):
        return np.array(values)
    scale, zero = details["quantization"]
    return ((values.astype(np.float64) - zero) * scale).astype(np.float32)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
