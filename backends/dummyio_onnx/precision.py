"""Narrower numbers in an ONNX file, half precision or 8 bits, by ONNX Runtime's own converters."""

from pathlib import Path
from typing import Any

import onnx

from dummyio.errors import ExportError, format_error_line
from dummyio.exporting.onnx_precision import LARGEST_FILE
from dummyio.input_spec import InputSpec
from dummyio.process_state import drop_native_output, silence_thread
from dummyio.temporaries import temporary_folder

_QUANTIZED = ["Conv", "ConvTranspose", "Gemm", "MatMul"]
"""Operators whose inputs and weights are in 8 bits; sums with the smallest float of a mask in 8 bits would lose all other numbers.

All are unsigned: on processors without VNNI, ONNX Runtime adds products of signed weights in 16 bits, which overflow.
"""


def convert_precision(path: Path, spec: InputSpec, precision: str, samples: int) -> str:
    """Rewrite a file in ``"float16"``, or in 8 bits (``"dynamic"``, ``"int8"``); return what has become narrower.

    Raises
    ------
    ExportError
        if the converter fails.
    """
    with temporary_folder() as folder, drop_native_output(), silence_thread(("root",)):
        try:
            if precision == "float16":
                model, note = _convert_to_half(path), "weights and arithmetic; inputs and outputs are as they were"
            elif precision == "dynamic":
                model, note = (
                    _quantize_weights(path, folder),
                    "weights in 8 bits; activations are quantized in each run",
                )
            else:
                model = _quantize_all(path, folder, spec, samples)
                note = f"weights and activations in 8 bits; ranges from {samples} samples of the spec"
        except Exception as error:
            raise ExportError(f"ONNX Runtime's converter to {precision} failed: {format_error_line(error)}") from error
        _save(model, path)
    return note


def _convert_to_half(path: Path) -> Any:
    from onnxruntime.transformers.float16 import convert_float_to_float16  # noqa: PLC0415 - it adds a folder to sys.path, for good

    return convert_float_to_float16(onnx.load(path), keep_io_types=True)


def _quantize_weights(path: Path, folder: Path) -> Any:
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415 - it adds a folder to sys.path, for good

    source, target = _forget_shapes(path, folder), folder / "quantized.onnx"
    quantize_dynamic(source, target, per_channel=True, weight_type=QuantType.QUInt8)
    return onnx.load(target)


def _quantize_all(path: Path, folder: Path, spec: InputSpec, samples: int) -> Any:
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static  # noqa: PLC0415 - it adds a folder to sys.path, for good

    class Samples(CalibrationDataReader):  # type: ignore[misc] # untyped
        def __init__(self) -> None:
            self.left = iter(range(samples))

        def get_next(self) -> Any:
            sample = next(self.left, None)
            return None if sample is None else dict(spec.feeds(sample=sample))

    source, target = _forget_shapes(path, folder), folder / "quantized.onnx"
    quantize_static(
        source,
        target,
        Samples(),
        op_types_to_quantize=_QUANTIZED,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QUInt8,
    )
    return onnx.load(target)


def _forget_shapes(path: Path, folder: Path) -> Path:
    """Write a copy without the shapes of its values: the quantizer gives weights another shape, and compares with these."""
    model = onnx.load(path)
    del model.graph.value_info[:]
    onnx.save(model, folder / "plain.onnx", save_as_external_data=model.ByteSize() > LARGEST_FILE)
    return folder / "plain.onnx"


def _save(model: Any, path: Path) -> None:
    data = path.with_name(f"{path.name}.data")
    is_apart = data.is_file()
    data.unlink(missing_ok=True)
    is_large = is_apart or model.ByteSize() > LARGEST_FILE
    onnx.save(model, path, save_as_external_data=is_large, location=data.name if is_large else None)
