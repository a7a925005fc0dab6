"""The backend object: this framework's members of `dummyio.backend.Backend`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dummyio.input_spec import InputSpec
from dummyio.spec.dtypes import DType
from dummyio.typing import FilePath
from dummyio_onnx import signature, tensors
from dummyio_onnx.dtypes import DTYPE_MAPPER


class OnnxBackend:
    """ONNX Runtime."""

    name = "ort"
    dtypes = DTYPE_MAPPER
    flat = True
    from_numpy = staticmethod(tensors.from_numpy)
    to_numpy = staticmethod(tensors.to_numpy)
    is_tensor = staticmethod(tensors.is_tensor)
    abstract = staticmethod(signature.abstract)

    @staticmethod
    def count_copies(dtype: DType) -> int:
        """Return how many copies of an array exist while it is converted: texts go through a graph, small integers are packed."""
        return 20 if dtype is DType.STRING else 1 if dtype.bits < 8 else 0

    def describe(self, model: Any, *, dims: Mapping[str, Any]) -> InputSpec:
        """Return the spec of an ONNX file or a ``ModelProto``."""
        from dummyio_onnx.description import describe  # noqa: PLC0415 - lazy: feeding a session does not need the reader

        return describe(model, dims=dims)

    def prove(self, source: Any, spec: InputSpec, level: str, keywords: Mapping[str, Any]) -> InputSpec:
        """Return a spec that a model takes, with its proof; see `dummyio_onnx.proof`."""
        from dummyio_onnx.proof.prove_source import prove  # noqa: PLC0415 - lazy: only for descriptions

        return prove(source, spec, level, keywords)

    def runner(
        self,
        target: Any,
        spec: InputSpec | None,
        engine: str | None,
        *,
        trust: bool = False,
        custom_ops: FilePath | Sequence[FilePath] | None = None,
    ) -> Any:
        """Return a model as a function of named feeds; ONNX has no operator that runs code or opens a file."""
        del trust
        from dummyio_onnx.running.onnx_runner import open_runner  # noqa: PLC0415 - lazy: only for runs

        return open_runner(target, spec, engine, custom_ops)

    def convert_precision(self, path: Path, spec: InputSpec, precision: str, samples: int) -> str:
        """Rewrite an ONNX file with narrower numbers; return what has become narrower."""
        from dummyio_onnx.precision import convert_precision  # noqa: PLC0415 - lazy: only for such exports

        return convert_precision(path, spec, precision, samples)

    def bind(self, values: Mapping[str, Any], session: Any) -> Any:
        """Return an ``IOBinding`` of a session with these inputs, and its outputs on the session's device."""
        from dummyio_onnx.running.bind_inputs import bind_inputs  # noqa: PLC0415 - lazy: only for bindings

        return bind_inputs(values, session)

    def auto_model(self) -> type[Any]:
        """Return `AutoModelForONNX`."""
        from dummyio_onnx.models.auto_model import AutoModelForONNX  # noqa: PLC0415 - lazy: only for models of folders

        return AutoModelForONNX

    def cache(self, layers: list[Any]) -> Any:
        """Return the layers themselves: the inputs of a graph are flat, so no model takes a cache."""
        return layers


BACKEND = OnnxBackend()
