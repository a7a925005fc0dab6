"""Narrower numbers in an ONNX file: half precision or 8 bits, by ONNX Runtime's own converters.

The file keeps its inputs and outputs. Which precision it has is in its spec's provenance, where a validation reads its tolerance.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dummyio.errors import ExportError, NotInstalledError, OptionError, format_error_line
from dummyio.input_spec import InputSpec
from dummyio.process_state import drop_native_output, silence_thread
from dummyio.temporaries import temporary_folder

OnnxDtype = Literal["fp16", "bf16"] | None
OnnxQuantization = Literal["int8", "dynamic"] | None

_NAMES = {"fp16": "float16", "bf16": "bfloat16", "int8": "int8", "dynamic": "dynamic"}
_QUANTIZED = ["Conv", "ConvTranspose", "Gemm", "MatMul"]
"""Operators whose inputs and weights are in 8 bits; sums with the smallest float of a mask in 8 bits would lose all other numbers.

All are unsigned: on processors without VNNI, ONNX Runtime adds products of signed weights in 16 bits, which overflow.
"""


@dataclass(frozen=True, slots=True)
class OnnxPrecision:
    """The options of an exporter for narrower numbers."""

    dtype: OnnxDtype = None
    quantize: OnnxQuantization = None
    calibration_samples: int = 32

    def __post_init__(self) -> None:
        """Raise `OptionError` for two precisions at once."""
        if self.dtype and self.quantize:
            raise OptionError(
                f"dtype={self.dtype!r} and quantize={self.quantize!r}: a file has one of them. Leave one out."
            )

    @property
    def name(self) -> str | None:
        """The preset of tolerances for such a file; None for full precision."""
        kind = self.dtype or self.quantize
        return None if kind is None else _NAMES[kind]


def convert_precision(path: Path, spec: InputSpec, precision: OnnxPrecision) -> tuple[str, ...]:
    """Rewrite an ONNX file with narrower numbers, and return notes; bfloat16 is left to the framework's own casts.

    Raises
    ------
    NotInstalledError
        if ONNX Runtime is not installed.
    ExportError
        if its converter fails.
    """
    if precision.name in (None, "bfloat16"):
        return ()
    with _kept_search_path():
        return (_convert_file(path, spec, precision),)


def _convert_file(path: Path, spec: InputSpec, precision: OnnxPrecision) -> str:
    try:
        import onnxruntime.quantization  # noqa: F401 - lazy: an optional package
    except ImportError as error:
        asked = f"dtype={precision.dtype!r}" if precision.dtype else f"quantize={precision.quantize!r}"
        raise NotInstalledError(
            f"{asked} needs onnxruntime, which is not installed. Install it: pip install 'dummyio[onnx]'"
        ) from error
    with temporary_folder() as folder, drop_native_output(), silence_thread(("root",)):
        try:
            if precision.dtype == "fp16":
                model, note = _convert_to_half(path), "weights and arithmetic; inputs and outputs are as they were"
            elif precision.quantize == "dynamic":
                model, note = (
                    _quantize_weights(path, folder),
                    "weights in 8 bits; activations are quantized in each run",
                )
            else:
                count = precision.calibration_samples
                model = _quantize_all(path, folder, spec, count)
                note = f"weights and activations in 8 bits; ranges from {count} samples of the spec"
        except Exception as error:
            raise ExportError(
                f"ONNX Runtime's converter to {precision.name} failed: {format_error_line(error)}"
            ) from error
        _save(model, path)
    return f"{precision.name}: {note}"


def _convert_to_half(path: Path) -> Any:
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    return convert_float_to_float16(onnx.load(path), keep_io_types=True)


@contextmanager
def _kept_search_path() -> Iterator[None]:
    """Put back ``sys.path`` afterwards: ``onnxruntime.transformers`` adds a folder to it."""
    before = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = before


def _quantize_weights(path: Path, folder: Path) -> Any:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    source, target = _forget_shapes(path, folder), folder / "quantized.onnx"
    quantize_dynamic(source, target, per_channel=True, weight_type=QuantType.QUInt8)
    return onnx.load(target)


def _quantize_all(path: Path, folder: Path, spec: InputSpec, samples: int) -> Any:
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Samples(CalibrationDataReader):  # type: ignore[misc] # untyped
        def __init__(self) -> None:
            self.left = iter(range(samples))

        def get_next(self) -> Any:
            sample = next(self.left, None)
            return None if sample is None else dict(spec.feeds(sample=sample))

    source, target = _forget_shapes(path, folder), folder / "quantized.onnx"
    kinds = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QUInt8}
    quantize_static(source, target, Samples(), op_types_to_quantize=_QUANTIZED, per_channel=True, **kinds)
    return onnx.load(target)


def _forget_shapes(path: Path, folder: Path) -> Path:
    """Write a copy without the shapes of its values: the quantizer gives weights another shape, and compares with these."""
    import onnx

    model = onnx.load(path)
    del model.graph.value_info[:]
    onnx.save(model, folder / "plain.onnx", save_as_external_data=model.ByteSize() > _LARGEST)
    return folder / "plain.onnx"


_LARGEST = 1536 << 20
"""Bytes of one file: a protobuf message has at most 2 GB."""


def _save(model: Any, path: Path) -> None:
    import onnx

    data = path.with_name(f"{path.name}.data")
    is_apart = data.is_file()
    data.unlink(missing_ok=True)
    is_large = is_apart or model.ByteSize() > _LARGEST
    onnx.save(model, path, save_as_external_data=is_large, location=data.name if is_large else None)
