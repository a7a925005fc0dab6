"""Small ONNX graphs of the kinds that models of Transformers have, written by hand: nothing but onnx is needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

INT64, FLOAT = TensorProto.INT64, TensorProto.FLOAT


def save_graph(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[tuple[str, int, Sequence[Any]]],
    outputs: Sequence[tuple[str, int, Sequence[Any]]],
    weights: dict[str, np.ndarray],
) -> Path:
    values = [[helper.make_tensor_value_info(*each) for each in declared] for declared in (inputs, outputs)]
    held = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(list(nodes), "small", *values, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(onnx.shape_inference.infer_shapes(model), path)
    return path


def save_config(folder: Path, **values: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(values))


def save_classifier(path: Path, *, ids: int = INT64, labels: int = 2, length: int | str = "sequence_length") -> Path:
    """Write a graph whose logits are the sums of what each token and its type weigh, where the mask is 1."""
    rng = np.random.default_rng(0)
    weights = {
        "words": rng.standard_normal((11, labels)).astype(np.float32),
        "types": rng.standard_normal((2, labels)).astype(np.float32),
        "last": np.array([-1]),
        "one": np.array([1]),
    }
    nodes = [
        helper.make_node("Gather", ["words", "input_ids"], ["w"]),
        helper.make_node("Gather", ["types", "token_type_ids"], ["t"]),
        helper.make_node("Add", ["w", "t"], ["both"]),
        helper.make_node("Cast", ["attention_mask"], ["m"], to=FLOAT),
        helper.make_node("Unsqueeze", ["m", "last"], ["m3"]),
        helper.make_node("Mul", ["both", "m3"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "one"], ["logits"], keepdims=0),
    ]
    axes = ["batch_size", length]
    inputs = [(name, ids, axes) for name in ("input_ids", "attention_mask", "token_type_ids")]
    return save_graph(path, nodes, inputs, [("logits", FLOAT, ["batch_size", labels])], weights)


def save_decoder(path: Path, *, layers: int = 2, heads: int = 2, size: int = 4, words: int = 11) -> Path:
    """Write a decoder that keeps a key for each token; the scores of the last one depend on all of them, and on its position."""
    rng = np.random.default_rng(1)
    weights = {
        "keys": rng.standard_normal((words, heads * size)).astype(np.float32),
        "scores": (3 * rng.standard_normal((heads * size, words))).astype(np.float32),
        "split": np.array([0, -1, heads, size]),
        "join": np.array([0, 1, heads * size]),
        "two": np.array([2]),
        "mask_axes": np.array([1, 3]),
        "places": rng.standard_normal((64, heads * size)).astype(np.float32),
    }
    inputs: list[tuple[str, int, Sequence[Any]]] = [("input_ids", INT64, ["batch_size", "sequence_length"])]
    outputs: list[tuple[str, int, Sequence[Any]]] = [("logits", FLOAT, ["batch_size", "sequence_length", words])]
    nodes = [
        helper.make_node("Gather", ["keys", "input_ids"], ["g"]),
        helper.make_node("Reshape", ["g", "split"], ["r"]),
        helper.make_node("Transpose", ["r"], ["new"], perm=[0, 2, 1, 3]),
        helper.make_node("Cast", ["attention_mask"], ["m"], to=FLOAT),
        helper.make_node("Unsqueeze", ["m", "mask_axes"], ["m4"]),
        helper.make_node("Gather", ["places", "position_ids"], ["p"]),
    ]
    whole, past = "past_sequence_length + sequence_length", "past_sequence_length"
    state = "p"
    for layer in range(layers):
        for kind in ("key", "value"):
            name = f"{layer}.{kind}"
            inputs.append((f"past_key_values.{name}", FLOAT, ["batch_size", heads, past, size]))
            outputs.append((f"present.{name}", FLOAT, ["batch_size", heads, whole, size]))
            nodes.append(helper.make_node("Concat", [f"past_key_values.{name}", "new"], [f"present.{name}"], axis=2))
        nodes += [
            helper.make_node("Mul", [f"present.{layer}.key", "m4"], [f"k{layer}"]),
            helper.make_node("ReduceSum", [f"k{layer}", "two"], [f"s{layer}"], keepdims=1),
            helper.make_node("Transpose", [f"s{layer}"], [f"t{layer}"], perm=[0, 2, 1, 3]),
            helper.make_node("Reshape", [f"t{layer}", "join"], [f"f{layer}"]),
            helper.make_node("Add", [state, f"f{layer}"], [f"h{layer}"]),
        ]
        state = f"h{layer}"
    inputs += [
        ("attention_mask", INT64, ["batch_size", whole]),
        ("position_ids", INT64, ["batch_size", "sequence_length"]),
    ]
    nodes.append(helper.make_node("MatMul", [state, "scores"], ["logits"]))
    return save_graph(path, nodes, inputs, outputs, weights)


def save_image_classifier(path: Path) -> Path:
    """Write a graph that weighs the mean of each channel of an image of 8 x 8 points."""
    nodes = [
        helper.make_node("ReduceMean", ["pixel_values"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["mean", "w"], ["logits"]),
    ]
    weights = {"w": np.ones((3, 5), np.float32)}
    inputs = [("pixel_values", FLOAT, ["batch_size", 3, 8, 8])]
    return save_graph(path, nodes, inputs, [("logits", FLOAT, ["batch_size", 5])], weights)


def save_encoder(path: Path, *, size: int = 4, mask: bool = False) -> Path:
    rng = np.random.default_rng(3)
    nodes = [helper.make_node("Gather", ["words", "input_ids"], ["g"])]
    axes = ["batch_size", "encoder_sequence_length"]
    inputs: list[tuple[str, int, Sequence[Any]]] = [("input_ids", INT64, axes)]
    if mask:
        inputs.append(("attention_mask", INT64, axes))
        nodes.append(helper.make_node("Cast", ["attention_mask"], ["m"], to=FLOAT))
        nodes.append(helper.make_node("Unsqueeze", ["m", "last"], ["m3"]))
        nodes.append(helper.make_node("Mul", ["g", "m3"], ["last_hidden_state"]))
    else:
        nodes.append(helper.make_node("Identity", ["g"], ["last_hidden_state"]))
    states = [("last_hidden_state", FLOAT, [*axes, size])]
    weights = {"words": rng.standard_normal((11, size)).astype(np.float32), "last": np.array([-1])}
    return save_graph(path, nodes, inputs, states, weights)


def save_seq2seq_decoder(path: Path, *, size: int = 4) -> Path:
    """Write a decoder without a past, whose scores are those of its token and of the mean of the states."""
    rng = np.random.default_rng(2)
    weights = {
        "words": rng.standard_normal((11, size)).astype(np.float32),
        "w": rng.standard_normal((size, 11)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Gather", ["words", "input_ids"], ["g"]),
        helper.make_node("ReduceMean", ["encoder_hidden_states"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Add", ["g", "mean"], ["h"]),
        helper.make_node("MatMul", ["h", "w"], ["logits"]),
    ]
    inputs: list[tuple[str, int, Sequence[Any]]] = [
        ("input_ids", INT64, ["batch_size", "decoder_sequence_length"]),
        ("encoder_hidden_states", FLOAT, ["batch_size", "encoder_sequence_length", size]),
    ]
    outputs = [("logits", FLOAT, ["batch_size", "decoder_sequence_length", 11])]
    return save_graph(path, nodes, inputs, outputs, weights)
