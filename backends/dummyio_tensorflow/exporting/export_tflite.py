"""TFLite files: from a SavedModel of the frozen function, float or quantized.

The converter is told to keep to TFLite's own operations. It would offer TensorFlow's as a way out, and the interpreters that
are installed today do not have them: such a file loads nowhere.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tensorflow as tf

from dummyio.errors import ExportError, OptionError, suggest_names
from dummyio.exporting.artifact import ExportResult
from dummyio.exporting.artifact_check import TOLERANCE, check_artifact
from dummyio.exporting.static_dims import fix_dims, split_into_buckets
from dummyio.input_spec import InputSpec
from dummyio.typing import StaticDims
from dummyio_tensorflow.calling.frozen_function import Frozen, add_output_specs, freeze_model
from dummyio_tensorflow.calling.silence import quiet
from dummyio_tensorflow.calling.tflite_schema import operators
from dummyio_tensorflow.exporting.calibration_worker import convert_in_subprocess
from dummyio_tensorflow.exporting.export_saved_model import save_signatures
from dummyio_tensorflow.running.model_runner import ModelRunner
from dummyio_tensorflow.running.tflite_runner import TfliteRunner
from dummyio_tensorflow.signature import argument_names

__all__ = ["export_tflite"]

Quantize = Literal["float16", "dynamic", "int8"] | None
_QUANTIZE = (None, "float16", "dynamic", "int8")
_STATE = {"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"}


@dataclass(frozen=True)
class _Quantization:
    """How numbers are held: as `export_tflite` says."""

    kind: Quantize
    samples: int
    integers_outside: bool

    def __post_init__(self) -> None:
        if self.kind not in _QUANTIZE:
            raise OptionError(
                f"quantize={self.kind!r} is unknown. {suggest_names(str(self.kind), map(str, _QUANTIZE))}"
            )
        if self.samples < 1:
            raise OptionError(f"calibration_samples={self.samples}: ranges are measured on one sample at least.")
        if self.integers_outside and self.kind != "int8":
            raise OptionError("int8_io=True goes with quantize='int8' only.")

    def apply(self, converter: Any) -> None:
        """Set up a converter for what needs no samples."""
        if self.kind is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if self.kind == "float16":
            converter.target_spec.supported_types = [tf.float16]


def export_tflite(  # noqa: PLR0913 - each is an option that a user has
    model: Any,
    spec: InputSpec,
    path: Path,
    *,
    quantize: Quantize = None,
    calibration_samples: int = 16,
    int8_io: bool = False,
    static: StaticDims = None,
    buckets: Mapping[str, Iterable[int]] | None = None,
) -> ExportResult:
    """Write a TFLite file with the signature ``serving_default``, and one for each further bucket.

    Parameters
    ----------
    model, spec, path
        As in `dummyio.exporting`.
    quantize
        ``"float16"``: weights of half the size; ``"dynamic"``: 8-bit weights; ``"int8"``: weights and activations, on ranges
        measured on samples of the spec.
    calibration_samples
        How many samples that are.
    int8_io
        Inputs and outputs that are floats become int8 too; integers stay what they are.
    static, buckets
        As in `dummyio_tensorflow.export_saved_model`.

    Raises
    ------
    ExportError
        for operations that TFLite does not have, or not for sizes that are free; the message names both.
    """
    quantization = _Quantization(quantize, calibration_samples, int8_io)
    spec, notes = fix_dims(spec, static)
    spec, each, more = split_into_buckets(spec, buckets)
    frozen = {name: freeze_model(model, one) for name, one in each.items()}
    spec = add_output_specs(spec, frozen["serving_default"])
    path.write_bytes(_converted(frozen, each, quantization, static))
    _check_operators(path)
    unchecked = check_artifact(
        path,
        spec,
        frozen["serving_default"].outputs,
        reference=ModelRunner(model, spec),
        # In deep networks of random weights, the error of 8 bits is as large as the values themselves.
        tolerance=TOLERANCE if quantize is None else None,
        ordered=False,
        opener=TfliteRunner,
    )
    return ExportResult(spec, (*notes, *more, *_notes(quantization), *unchecked))


def _converted(
    frozen: Mapping[str, Frozen], specs: Mapping[str, InputSpec], quantization: _Quantization, static: StaticDims
) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "model"
        save_signatures(frozen, place)
        try:
            if quantization.kind == "int8":
                feeds = _samples(specs, quantization.samples)
                return convert_in_subprocess(
                    Path(folder), list(frozen), feeds, integers_outside=quantization.integers_outside
                )
            with quiet():
                converter = tf.lite.TFLiteConverter.from_saved_model(str(place), signature_keys=list(frozen))
                quantization.apply(converter)
                return converter.convert()
        except Exception as error:
            raise _refused(error, static) from error


def _samples(specs: Mapping[str, InputSpec], count: int) -> Iterator[Any]:
    """Yield samples as (signature, name → array): a list would be taken in the order of the alphabet, unseen."""
    for signature, spec in specs.items():
        names = argument_names(path for path, _ in spec.leaves)
        for sample in range(count):
            yield signature, {names[path]: values for path, values in spec.feeds(sample=sample).items()}


_LACKING = (
    (r"TF Select ops: ([\w ,:/.-]+)", "TensorFlow's own operations"),
    (r"Custom ops: ([\w ,:/.-]+)", "custom operations"),
)


def _refused(error: Exception, static: StaticDims) -> ExportError:
    text = str(error)
    lacking = [
        f"{kind}: {found[1].strip()}" for pattern, kind in _LACKING if (found := re.search(pattern, text)) is not None
    ]
    if not lacking:
        lines = [line.strip() for line in text.splitlines() if "error:" in line] or [text.strip()]
        kind = "" if isinstance(error, RuntimeError) else f"{type(error).__name__}: "
        return ExportError(f"TFLite's converter failed: {kind}{lines[0][:500]}")
    if static == "all":
        remedy = "TFLite does not have them: write the model without them, or choose another format."
    else:
        remedy = (
            "Mostly it is a size that is free: fix sizes with static='all_but_batch', 'all' or names of dims, or give a few "
            "of one dim with buckets={'sequence_length': (16, 64)}."
        )
    return ExportError(f"the model needs what TFLite does not have; {'; '.join(lacking)}. {remedy}")


def _check_operators(path: Path) -> None:
    """Refuse files that read variables (nothing ever wrote them: results are noise), or have operations of others."""
    have = operators(path)
    state = sorted(have & _STATE)
    if state:
        raise ExportError(f"the file would read variables that nothing sets ({', '.join(state)}).")
    foreign = sorted(name for name in have if name.startswith("Flex"))
    if foreign:
        raise ExportError(f"the file needs TensorFlow's own operations, which interpreters lack: {', '.join(foreign)}.")


def _notes(quantization: _Quantization) -> tuple[str, ...]:
    match quantization.kind:
        case None:
            return ()
        case "int8":
            outside = ", inputs and outputs too" if quantization.integers_outside else ""
            return (
                f"quantize='int8': 8-bit integers{outside}; ranges from {quantization.samples} samples of the spec.",
            )
        case kind:
            return (f"quantize={kind!r}: weights are held as {'float16' if kind == 'float16' else 'int8'}.",)
