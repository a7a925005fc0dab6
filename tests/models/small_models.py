"""Small models and files for the tests of validations."""

import numpy as np
import pytest

from dummyio import Dim, InputSpec, TensorSpec
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.values import Normal, PaddingMask, TokenIds

BATCH = Dim("batch_size", 2, max=8)
LENGTH = Dim("sequence_length", 6, max=40)
PAST = Dim("past_sequence_length", 3, min=0, max=20)
TABLE = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)

FEATURES = InputSpec({"x": TensorSpec("x", (BATCH, 4), "float32", Normal())})
"""Rows of numbers."""

TEXT = InputSpec(
    {
        "input_ids": TensorSpec("input_ids", (BATCH, LENGTH), "int64", TokenIds(50, low=1, mask="attention_mask")),
        "attention_mask": TensorSpec("attention_mask", (BATCH, LENGTH), "int64", PaddingMask()),
    }
)
"""A text with a mask."""

STEPS = InputSpec(
    {
        "input_ids": TensorSpec("input_ids", (BATCH, LENGTH), "int64", TokenIds(50)),
        "past_key_values": {"0": {"key": TensorSpec("key", (BATCH, PAST, 8), "float32", Normal())}},
    },
    outputs=(OutputSpec("logits"), OutputSpec("present.0.key")),
)
"""A text in steps, with what is kept of those before."""


def perceptron(x):
    """Return scores of rows."""
    return {"scores": np.tanh(x @ TABLE[:4])}


def mean(input_ids, attention_mask):
    """Return the mean over what is kept."""
    kept = attention_mask[..., None].astype(np.float32)
    return {"mean": (TABLE[input_ids] * kept).sum(1) / np.maximum(kept.sum(1), 1)}


def running(input_ids, past_key_values):
    """Return the running mean of all tokens until now, as scores; and all of them, for the next step."""
    seen = np.concatenate([past_key_values["0"]["key"], TABLE[input_ids]], 1)
    count = np.arange(1, seen.shape[1] + 1, dtype=np.float32)[:, None]
    logits = (np.cumsum(seen, 1, dtype=np.float64) / count).astype(np.float32)
    return {"logits": logits[:, -input_ids.shape[1] :], "present.0.key": seen}


def write_onnx(folder, name="x", *, rows="batch_size", sizes=("batch_size", 8), by=1.0):
    """Write `perceptron` as a file, its scores times a number; return its path."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import helper, numpy_helper

    graph = helper.make_graph(
        [
            helper.make_node("MatMul", [name, "weights"], ["product"]),
            helper.make_node("Tanh", ["product"], ["raw"]),
            helper.make_node("Mul", ["raw", "by"], ["scores"]),
        ],
        "perceptron",
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (rows, 4))],
        [helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, sizes)],
        [numpy_helper.from_array(TABLE[:4], "weights"), numpy_helper.from_array(np.float32(by), "by")],
    )
    path = folder / f"model-{by}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path
