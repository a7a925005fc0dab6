"""The outline of a model in ONNX Runtime's own format, which only its session reads: inputs and outputs without a graph."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import onnxruntime as ort

from dummyio.errors import SourceError, format_error_line

_TYPE = re.compile(r"(?:optional\()?(?P<list>seq\()?tensor\((?P<dtype>\w+)\)+")


def read_session_outline(path: Path) -> onnx.ModelProto:
    """Return a model with the inputs and outputs of the file and no operations.

    Raises
    ------
    SourceError
        if ONNX Runtime does not open the file.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except Exception as error:  # each status of ONNX Runtime has an exception of its own, without a common base class
        raise SourceError(
            f"{path}: ONNX Runtime {ort.__version__} does not open this file of its own format: {format_error_line(error)} Give the "
            ".onnx file that it was made from, or convert that again with this version."
        ) from error
    inputs, outputs = (
        [_declare(value) for value in values] for values in (session.get_inputs(), session.get_outputs())
    )
    graph = onnx.helper.make_graph([], "outline", inputs, outputs)
    return onnx.helper.make_model(graph, producer_name="ONNX Runtime's own format")


def _declare(value: Any) -> onnx.ValueInfoProto:
    _, number = parse_type(value.type)
    return (
        onnx.ValueInfoProto(name=value.name)
        if number is None
        else onnx.helper.make_tensor_value_info(value.name, number, value.shape)
    )


def parse_type(text: str) -> tuple[bool, int | None]:
    """Return whether a session's ``seq(tensor(float))`` is a list, and ONNX's number of the dtype, which is its name in small letters."""
    found = _TYPE.fullmatch(text)
    numbers: Mapping[str, int] = dict(onnx.TensorProto.DataType.items())
    return (False, None) if found is None else (found["list"] is not None, numbers.get(found["dtype"].upper()))
