"""Sound exports of JAX's functions and modules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import dummyio
from dummyio import Dim, InputSpec, TensorSpec
from dummyio.spec.values import Normal, PaddingMask, TokenIds
from planted.sound import Sound

ROUTES = {"StableHLO": "model.stablehlo", "ONNX": "model.onnx", "TFLite": "model.tflite"}
WEIGHTS = np.random.default_rng(0).normal(0, 0.3, (50, 16)).astype(np.float32)


def sounds() -> Iterator[Sound]:
    """Yield each function on each route."""
    for function, spec in ((perceptron, _features()), (attention, _text())):
        for route, file in ROUTES.items():

            def write(folder: Path, function: Any = function, spec: Any = spec, file: str = file) -> Any:
                return dummyio.export(function, folder / file, spec=spec).path, function, spec

            yield Sound(function.__name__, f"JAX → {route}", write)


def perceptron(x: jax.Array) -> dict[str, jax.Array]:
    """Return two layers' scores."""
    return {"logits": jnp.tanh(x @ WEIGHTS[:6, :8]) @ WEIGHTS[10:18, :3]}


def attention(ids: jax.Array, mask: jax.Array) -> dict[str, jax.Array]:
    """Return what a layer of attention makes of a text."""
    hidden = jnp.asarray(WEIGHTS)[ids]
    scores = hidden @ hidden.transpose(0, 2, 1) / 4.0
    scores = jnp.where(mask[:, None, :] > 0, scores, -1e9)
    return {"states": jax.nn.softmax(scores) @ hidden}


def _features() -> InputSpec:
    return InputSpec({"x": TensorSpec("x", (Dim("batch_size", 2), 6), "float32", Normal())})


def _text() -> InputSpec:
    shape = (Dim("batch_size", 2), Dim("sequence_length", 8, max=32))
    inputs = {
        "ids": TensorSpec("ids", shape, "int32", TokenIds(50, reserved=(0,), mask="mask")),
        "mask": TensorSpec("mask", shape, "int32", PaddingMask()),
    }
    return InputSpec(inputs)
