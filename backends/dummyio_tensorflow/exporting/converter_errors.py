"""What the converters of TensorFlow and tf2onnx refuse, in one sentence: the operator, its place in the model, the route that carries it.

Their own messages are dumps of intermediate code with escape sequences of terminals; none of that reaches the user.
"""

import re
from collections.abc import Callable
from typing import Any

from dummyio.errors import ExportError, NotInstalledError, format_error_line
from dummyio_tensorflow.exporting.export_job import ExportJob
from dummyio_tensorflow.exporting.operator_places import name_operators

_LACKING = (r"TF Select ops: ([\w ,:/.-]+)", r"Custom ops: ([\w ,:/.-]+)")
_NO_KERNELS = {"f16": "float16", "bf16": "bfloat16", "f64": "float64"}
"""Types in the converter's messages that TFLite has hardly a kernel for."""
_CARRIED = "A SavedModel and a .pb carry it"


def explain_tflite_error(
    error: Exception, job: ExportJob, find_static: Callable[[], str | None], *, is_static: bool
) -> ExportError | NotInstalledError:
    """Return the error for a refusal of TFLite's converter.

    Parameters
    ----------
    error
        What the converter raised.
    job
        The model.
    find_static
        Returns the option ``static=`` that the converter takes the model with; None if there is none.
    is_static
        Whether all sizes are fixed already.
    """
    if isinstance(error, (ExportError, NotInstalledError)):
        return error
    text = _strip(str(error))
    kinds = [kind.strip() for pattern in _LACKING for found in re.findall(pattern, text) for kind in found.split(",")]
    kinds = list(dict.fromkeys(kind.removeprefix("Flex") for kind in kinds if kind.strip()))
    named = name_operators(job.model, job.spec, kinds) if kinds else ""
    narrow = next((name for kind, name in _NO_KERNELS.items() if re.search(rf"[x<]{kind}>", text)), None)
    if narrow is not None:
        what = f" ({named})" if named else ""
        return ExportError(
            f"the model computes in {narrow}, for which TFLite has no kernels{what}. Export it in float32; quantize='float16' stores the "
            f"weights of such a model in half the size. {_CARRIED} as it is."
        )
    if re.search(r"TensorList\w*' op requires element_shape to be static", text):
        return ExportError(
            "a loop of the model, such as that of a GRU or LSTM, collects results whose shape is dynamic, which TFLite does not take: fix "
            "the size that they have, mostly static='batch_size', or static='all'. A tf.TensorArray of your own needs an element_shape= of numbers too."
        )
    if "requires element_shape to be 1D tensor" in text:
        return ExportError(
            "a tf.TensorArray of the model declares no shape of its elements, which TFLite needs: write tf.TensorArray(..., element_shape=) with "
            f"all sizes as numbers. {_CARRIED} as it is."
        )
    works = None if is_static else find_static()
    fixed = f"With static={works!r} it is written." if works else f"{_CARRIED}; fixed sizes (static=) do not help."
    if is_static:
        fixed = f"{_CARRIED}."
    if kinds:
        sizes = " with dynamic sizes" if works else ""
        return ExportError(f"TFLite has no operator{sizes} for {named}. {fixed}")
    return ExportError(f"TFLite's converter failed: {summarize(text, error)} {fixed}")


def summarize(text: str, error: Exception) -> str:
    """Return the reason in a converter's message, without places and dumps, as a sentence."""
    found = re.search(r"'(?:tf|tfl|arith|func|stablehlo)\.(\w+)' op ([^\n]*)", text)
    if found is not None:
        reason = f"{found[1]}: {found[2]}"
    else:
        reason = next((line.partition("error: ")[2] for line in text.splitlines() if "error: " in line), "")
        reason = re.sub(r"^(?:loc\(.*\)|[^ ]+:\d+): ?", "", reason).strip() or format_error_line(error)
    reason = " ".join(re.sub(r"loc\(.*", "", _strip(reason)).split())
    reason = reason if len(reason) <= _LONGEST else f"{reason[:_LONGEST]}..."
    return reason if reason.endswith((".", "!")) else f"{reason}."


_LONGEST = 240


def clean_cause(error: Exception) -> Exception:
    """Return an exception to chain: the converter's own without its dump, or the error itself if it has none."""
    text = str(error)
    if "\x1b" in text or "\n" in text or "loc(" in text:
        return type(error.__class__.__name__, (Exception,), {})(summarize(_strip(text), error))
    return error


def _strip(text: str) -> Any:
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
