"""TFLite files: from a SavedModel of the frozen function, float or quantized.

The converter is restricted to TFLite's own operations. It would offer those of TensorFlow too, which today's interpreters
do not have: none of them loads such a file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import tensorflow as tf
from msgspec import Meta

from dummyio.errors import ExportError, OptionError
from dummyio.exporting.artifact import ExportResult, record_precision
from dummyio.exporting.artifact_check import TOLERANCE
from dummyio.exporting.stages import report_stage
from dummyio.input_spec import InputSpec
from dummyio.running.signatures import argument_names
from dummyio.temporaries import temporary_folder
from dummyio.tflite.read_model import list_operator_kinds, read_model
from dummyio.tflite.runner import TfliteRunner
from dummyio.typing import Buckets, StaticDims
from dummyio_tensorflow.calling.silence import silence_output
from dummyio_tensorflow.exporting.calibration_worker import convert_in_subprocess
from dummyio_tensorflow.exporting.converter_errors import clean_cause, explain_tflite_error
from dummyio_tensorflow.exporting.export_job import ExportJob, prepare_export
from dummyio_tensorflow.exporting.export_saved_model import save_signatures
from dummyio_tensorflow.exporting.quantize_products import quantize_products

Quantize = Literal["float16", "fp16", "dynamic", "int8", "int16x8"] | None
_ACTIVATION_BITS = {"int8": 8, "int16x8": 16}
_STATE = {"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"}


@dataclass(frozen=True)
class _Quantization:
    """The dtypes of weights and activations; see `export_tflite`."""

    kind: Quantize
    samples: int
    int8_io: bool

    @property
    def name(self) -> str | None:
        """The preset of tolerances for such a file; None for full precision."""
        return "float16" if self.kind == "fp16" else self.kind

    def __post_init__(self) -> None:
        if self.int8_io and self.kind != "int8":
            raise OptionError("int8_io=True is for quantize='int8' only.")


def export_tflite(  # noqa: PLR0913 - each is an option that a user has
    model: Any,
    spec: InputSpec,
    path: Path,
    *,
    quantize: Quantize = None,
    calibration_samples: Annotated[int, Meta(ge=1)] = 32,
    int8_io: bool = False,
    static: StaticDims = None,
    buckets: Buckets = None,
) -> ExportResult:
    """Write a TFLite file with the signature ``serving_default``, and one for each further bucket.

    Parameters
    ----------
    model, spec, path
        As in `dummyio.exporting.export`.
    quantize
        ``"float16"`` or ``"fp16"``: weights of half the size; ``"dynamic"``: 8-bit weights; ``"int8"``: weights and inputs of
        products and convolutions in 8 bits, with ranges measured on samples of the spec; ``"int16x8"``: these inputs in 16 bits.
    calibration_samples
        The number of these samples.
    int8_io
        All of the model is in integers, for processors that have no others: inputs and outputs that are floats become int8 too.
    static, buckets
        As in `export_saved_model`.

    Raises
    ------
    ExportError
        for operations that TFLite does not have, or only for static sizes; the message names them and the remedy.
    """
    quantization = _Quantization(quantize, calibration_samples, int8_io)
    job = prepare_export(model, spec, static, buckets)
    try:
        with report_stage("write", path.name):
            path.write_bytes(_convert(job, quantization))
    except Exception as error:  # noqa: BLE001 - converters raise any class
        find_static = partial(_find_static, model, spec, quantize)
        explained = explain_tflite_error(
            error, job, find_static, is_static=all(dim.fixed for dim in job.spec.dims.values())
        )
        raise explained from clean_cause(error)
    _check_operators(path)
    _check_quantized(path, quantization)
    # In deep networks of random weights, the error of 8 bits is as large as the values themselves.
    tolerance = TOLERANCE if quantize is None else None
    result = job.finish(
        path, *_notes(quantization), tolerance=tolerance, ordered=False, opener=partial(TfliteRunner, trust=True)
    )
    return replace(result, spec=record_precision(result.spec, quantization.name))


def _convert(job: ExportJob, quantization: _Quantization) -> bytes:
    with temporary_folder() as folder:
        place = folder / "model"
        save_signatures(job.signatures, place)
        if quantization.int8_io:
            return convert_in_subprocess(folder, list(job.signatures), _samples(job.specs, quantization.samples))
        with silence_output():
            converter = tf.lite.TFLiteConverter.from_saved_model(str(place), signature_keys=list(job.signatures))
            if quantization.name in ("float16", "dynamic"):
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if quantization.name == "float16":
                converter.target_spec.supported_types = [tf.float16]
            blob: bytes = converter.convert()
    if quantization.name in _ACTIVATION_BITS:
        return quantize_products(blob, _samples(job.specs, quantization.samples), _ACTIVATION_BITS[quantization.name])
    return blob


def _samples(specs: Mapping[str, InputSpec], count: int) -> Iterator[Any]:
    """Yield samples as (signature, name → array): TensorFlow's converter takes a list in the order of the alphabet."""
    for signature, spec in specs.items():
        names = argument_names(path for path, _ in spec.leaves)
        for sample in range(count):
            yield signature, {names[path]: values for path, values in spec.feeds(sample=sample).items()}


def _find_static(model: Any, spec: InputSpec, kind: Quantize) -> str | None:
    """Return the option ``static=`` with which the converter takes a model of real numbers; None if there is none."""
    for static in ("all_but_batch", "all"):
        try:
            _convert(
                prepare_export(model, spec, static),
                _Quantization(kind if kind in ("float16", "fp16") else None, 1, int8_io=False),
            )
        except Exception:  # noqa: BLE001, S112 - this is a trial: the caller reports the first refusal
            continue
        return static
    return None


def _check_operators(path: Path) -> None:
    """Refuse files that read variables, which nothing ever sets, or have operations of TensorFlow."""
    have = set(list_operator_kinds(read_model(path)))
    state = sorted(have & _STATE)
    if state:
        raise ExportError(
            f"the file would read variables that nothing sets ({', '.join(state)}): make the state an input and an output."
        )
    foreign = sorted(name for name in have if name.startswith("Flex"))
    if foreign:
        raise ExportError(f"the file needs TensorFlow operations, which interpreters lack: {', '.join(foreign)}.")


def _check_quantized(path: Path, quantization: _Quantization) -> None:
    """Refuse a file that is to have integers and has none."""
    is_apart = quantization.name in _ACTIVATION_BITS and not quantization.int8_io
    if is_apart and "QUANTIZE" not in list_operator_kinds(read_model(path)):
        raise ExportError(
            f"quantize={quantization.kind!r} is for products and convolutions, and the model has none: leave it out."
        )


def _notes(quantization: _Quantization) -> tuple[str, ...]:
    label, ranges = f"quantize={quantization.kind!r}", f"ranges from {quantization.samples} samples of the spec."
    match quantization.name:
        case None:
            return ()
        case "int8" if quantization.int8_io:
            return (f"{label}: all in 8-bit integers, inputs and outputs too; {ranges}",)
        case "int8":
            return (
                f"{label}: weights and inputs of products and convolutions in 8 bits, all else in float32; {ranges}",
            )
        case "int16x8":
            return (
                f"{label}: products and convolutions of 8-bit weights and 16-bit inputs, all else in float32; {ranges}",
            )
        case "float16":
            return (f"{label}: weights are stored as float16.",)
        case _:
            return (f"{label}: weights of 1024 numbers and more are stored as int8, smaller ones as float32.",)
