"""Sound exports, over all routes: none of them may be found wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import onnx

import dummyio
from dummyio import InputSpec
from planted.bases import base, names
from planted.registry import exported


@dataclass(frozen=True)
class Sound:
    """An export that is right."""

    name: str
    route: str
    write: Callable[[Path], tuple[Path, Any, InputSpec]]
    """Writes into a folder; returns the artifact, its reference, and its spec."""
    tolerance: str | None = None
    """The preset that it is made for."""


def sounds() -> Iterator[Sound]:
    """Yield all sound exports."""
    yield from sounds_of_torch(names())
    yield Sound("distilbert", "PyTorch → ONNX, opset 18", lambda folder: _torch(folder, "distilbert", opset=18))
    yield Sound("distilbert", "PyTorch → ONNX, weights beside", lambda f: _torch(f, "distilbert", external_data=True))
    yield Sound("distilbert", "PyTorch → ONNX, not optimized", lambda f: _torch(f, "distilbert", optimize=False))
    yield Sound("llama", "PyTorch → ONNX → ONNX Runtime's optimizer", _optimized)
    yield Sound("distilbert", "PyTorch in float16 → ONNX", _half, "float16")
    from planted import sound_jax, sound_tensorflow

    yield from sound_tensorflow.sounds()
    yield from sound_jax.sounds()


def sounds_of_torch(chosen: Iterable[str]) -> Iterator[Sound]:
    """Yield these bases on the routes that all of them have."""
    for name in chosen:
        for exporter in ("torchscript", "dynamo"):
            yield _of_torch(name, ".onnx", exporter)
        yield _of_torch(name, ".pt2", "export")


def narrowed(name: str, suffix: str) -> InputSpec:
    """Return a base's spec, as far as the format can keep to it."""
    spec = base(name).spec
    if (name, suffix) != ("wav2vec2", ".pt2"):
        return spec
    # The model takes 20 samples and more; its trace asks for 28, and the program refuses fewer.
    return spec.with_dims(audio_sequence_length=replace(spec.dims["audio_sequence_length"], min=28))


def _of_torch(name: str, suffix: str, exporter: str) -> Sound:
    def write(folder: Path) -> tuple[Path, Any, InputSpec]:
        del folder
        path = exported(name, suffix, exporter) if suffix == ".onnx" else exported(name, suffix)
        return path, base(name).module, narrowed(name, suffix)

    return Sound(name, f"PyTorch → {suffix}" + (f", {exporter}" if suffix == ".onnx" else ""), write)


def _torch(folder: Path, name: str, **options: Any) -> tuple[Path, Any, InputSpec]:
    found = base(name)
    return (
        dummyio.export(found.module, folder / "model.onnx", spec=found.spec, **options).path,
        found.module,
        found.spec,
    )


def _optimized(folder: Path) -> tuple[Path, Any, InputSpec]:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    ort.InferenceSession(exported("llama"), options, providers=["CPUExecutionProvider"])
    onnx.checker.check_model(onnx.load(folder / "optimized.onnx"))
    return folder / "optimized.onnx", base("llama").module, base("llama").spec


@cache
def _in_half() -> Any:
    import copy

    return copy.deepcopy(base("distilbert").module).half()


def _half(folder: Path) -> tuple[Path, Any, InputSpec]:
    """Write a model in half precision, to be compared with the one in single precision."""
    found = base("distilbert")
    dummyio.export(_in_half(), folder / "half.onnx", spec=found.spec)
    model = onnx.load(folder / "half.onnx")
    from planted.graphs import after, value

    after(model, "logits", ("Cast", {"to": onnx.TensorProto.FLOAT}))
    value(model, "logits").type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    onnx.save(model, folder / "half.onnx")
    return folder / "half.onnx", found.module, found.spec
