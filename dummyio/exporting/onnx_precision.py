"""The options of an exporter for narrower numbers in an ONNX file: half precision or 8 bits.

The file keeps its inputs and outputs. Which precision it has is in its spec's provenance, where a validation reads its tolerance.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dummyio.backend.registry import load_backend
from dummyio.errors import OptionError
from dummyio.input_spec import InputSpec

OnnxDtype = Literal["fp16", "bf16"] | None
OnnxQuantization = Literal["int8", "dynamic"] | None

LARGEST_FILE = 1536 << 20
"""Bytes of weights in one ONNX file: a protobuf message has at most 2 GB."""
_NAMES = {"fp16": "float16", "bf16": "bfloat16", "int8": "int8", "dynamic": "dynamic"}


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
        if ONNX Runtime, whose converters are used, is not installed.
    ExportError
        if its converter fails.
    """
    if precision.name in (None, "bfloat16"):
        return ()
    backend: Any = load_backend("ort")
    note = backend.convert_precision(path, spec, precision.name, precision.calibration_samples)
    return (f"{precision.name}: {note}",)
