"""Sound exports, over all routes: none of them may be found wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import onnx

import dummyio
from dummyio import InputSpec
from dummyio.exporting.artifact import spec_path
from dummyio.sources.proof.spec_changes import remove_inputs
from planted.bases import base, names
from planted.registry import exported


@dataclass(frozen=True)
class Sound:
    """An export that is right."""

    name: str
    route: str
    write: Callable[[Path], tuple[Path, Any, InputSpec | None]]
    """Writes into a folder; returns the artifact, its reference, and its spec; None for a file that comes without one."""
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
    for name in ("bert", "gpt2", "distilbert"):
        yield Sound(name, "ONNX → ONNX Runtime's dynamic quantizer", partial(_quantized, name=name), "dynamic")
    for name in ("bert", "convolutional"):
        yield Sound(name, "ONNX → ONNX Runtime's static quantizer", partial(_calibrated, name=name), "int8")
    for left_out in (("token_type_ids",), ("token_type_ids", "attention_mask")):
        route = f"PyTorch → ONNX, without {' and '.join(left_out)}"
        yield Sound("bert", route, partial(_without, left_out=left_out))
    yield Sound("vit", "PyTorch → ONNX, the output renamed", _renamed)
    from planted import sound_jax, sound_optimum, sound_sklearn, sound_tensorflow

    for other in (sound_tensorflow, sound_jax, sound_sklearn, sound_optimum):
        yield from other.sounds()


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


def _quantized(folder: Path, name: str) -> tuple[Path, Any, InputSpec]:
    """Write a model with weights in 8 bits."""
    from onnxruntime.quantization import quantize_dynamic

    model = onnx.load(exported(name))
    del model.graph.value_info[:]  # the quantizer gives weights another shape, and compares with these
    quantize_dynamic(model, folder / "quantized.onnx")
    return folder / "quantized.onnx", base(name).module, base(name).spec


def _calibrated(folder: Path, name: str) -> tuple[Path, Any, InputSpec]:
    """Write a model with weights and activations of its products in 8 bits, calibrated on samples of its inputs.

    All operators in 8 bits would be no sound export: beside the smallest float32 of a mask, every score is 0.
    """
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    class Samples(CalibrationDataReader):
        def __init__(self) -> None:
            self.samples = iter(base(name).spec.samples(32, "np", seed=1))

        def get_next(self) -> Any:
            return next(self.samples, None)

    model = onnx.load(exported(name))
    del model.graph.value_info[:]
    onnx.save(model, folder / "prepared.onnx")
    quantize_static(
        folder / "prepared.onnx", folder / "quantized.onnx", Samples(), op_types_to_quantize=["Conv", "Gemm", "MatMul"]
    )
    return folder / "quantized.onnx", base(name).module, base(name).spec


def _without(folder: Path, left_out: tuple[str, ...]) -> tuple[Path, Any, InputSpec]:
    """Write BERT without inputs that it does not need; the spec has them."""
    found = base("bert")
    rest = remove_inputs(found.spec, left_out)
    path = dummyio.export(found.module, folder / "model.onnx", spec=rest, exporter="torchscript").path
    spec_path(path).unlink()
    return path, found.module, found.spec


def _renamed(folder: Path) -> tuple[Path, Any, InputSpec]:
    """Write a model whose only output has another name than the reference's."""
    from planted.graphs import rename

    model = onnx.load(exported("vit"))
    rename(model, **{model.graph.output[0].name: "output_0"})
    onnx.save(model, folder / "renamed.onnx")
    return folder / "renamed.onnx", base("vit").module, base("vit").spec


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
