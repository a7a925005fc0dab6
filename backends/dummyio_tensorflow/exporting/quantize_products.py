"""Products and convolutions of a TFLite file in integers, by ai-edge-quantizer.

The converter of TensorFlow makes all of a model integer, which costs more than the rounding of weights and activations, writes
16-bit operators that no interpreter has, and crashes on loops.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from dummyio.errors import ExportError, NotInstalledError, format_error_line
from dummyio.tflite.read_model import list_builtin_kinds
from dummyio.typing import Array
from dummyio_tensorflow.calling.silence import silence_output

_PRODUCTS = ("FULLY_CONNECTED", "BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D_TRANSPOSE")


def quantize_products(blob: bytes, samples: Iterable[tuple[str, Mapping[str, Array]]], activation_bits: int) -> bytes:
    """Return a file whose products have weights of 8 bits and inputs of `activation_bits`; all else stays as it is.

    Parameters
    ----------
    blob
        A TFLite file of real numbers.
    samples
        The calibration set: pairs of signature and name → array. The range of an activation is that of all samples.
    activation_bits
        8 or 16.

    Raises
    ------
    NotInstalledError
        if ai-edge-quantizer is not installed.
    ExportError
        if it fails.
    """
    try:
        from ai_edge_quantizer import calibrator, qtyping, quantizer, recipe_manager  # noqa: PLC0415 - lazy: an optional package
        from ai_edge_quantizer.utils import qsv_utils  # noqa: PLC0415 - lazy: an optional package
    except ModuleNotFoundError as error:
        raise NotInstalledError(
            f"quantize= with calibration needs {error.name}, which is not installed. Install it: pip install "
            "'dummyio[quantize]'. quantize='int8' with int8_io=True is by TensorFlow's converter, which makes all of the model integer."
        ) from error
    feeds: dict[str, list[dict[str, Array]]] = {}
    for signature, values in samples:
        feeds.setdefault(signature, []).append(dict(values))
    recipe: Any = recipe_manager.RecipeManager()
    for name in _PRODUCTS:
        recipe.add_static_config(".*", qtyping.TFLOperationName(name), activation_bits, 8)
    try:
        with silence_output():
            # This mode also measures inside of loops; the default update is a moving average, which would clip.
            ranges: Any = calibrator.Calibrator(
                blob,
                num_threads=1,
                mode=calibrator.CalibrationMode.CALIBRATION_PROFILER_BASED,
                qsv_update_func=qsv_utils.min_max_update,
            )
            ranges.calibrate(feeds, recipe)
            tool: Any = quantizer.Quantizer(bytearray(blob))
            tool.load_quantization_recipe(recipe.get_quantization_recipe())
            made = tool.quantize(ranges.get_model_qsvs(), enable_progress_report=False)
    except Exception as error:
        raise ExportError(f"ai-edge-quantizer failed: {format_error_line(error)}") from error
    return _declare_dynamic_axes(made.quantized_model)


def _declare_dynamic_axes(blob: Any) -> bytes:
    """Return a file whose conversions to and from integers have the dynamic axes of the other side: the tool leaves them out."""
    from ai_edge_litert.tools import flatbuffer_utils  # noqa: PLC0415 - lazy: an optional package

    model: Any = flatbuffer_utils.read_model_from_bytearray(bytearray(blob))
    kinds = list_builtin_kinds()
    for graph in model.subgraphs:
        for operator in graph.operators:
            code = flatbuffer_utils.get_builtin_code_from_operator_code(model.operatorCodes[operator.opcodeIndex])
            if code not in (kinds["QUANTIZE"], kinds["DEQUANTIZE"]):
                continue
            ends = [graph.tensors[place] for place in (operator.inputs[0], operator.outputs[0])]
            known = next((end.shapeSignature for end in ends if end.shapeSignature is not None), None)
            for end in ends:
                end.shapeSignature = known
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
