"""Strings for ONNX Runtime: it cannot make a value of NumPy strings, but a graph that holds them returns one."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper

__all__ = ["make_string_value"]


def make_string_value(values: np.ndarray[Any, Any]) -> ort.OrtValue:
    """Return a value that holds a copy of an array of `str`."""
    texts = [text.encode() for text in values.reshape(-1)]
    held = helper.make_tensor("held", TensorProto.STRING, values.shape, texts)
    output = helper.make_tensor_value_info("text", TensorProto.STRING, values.shape)
    graph = helper.make_graph([helper.make_node("Identity", ["held"], ["text"])], "text", [], [output], [held])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (value,) = session.run_with_ort_values(["text"], {})
    return value
