"""Whole exports from TensorFlow and JAX, from start to end, compared with the same conversion by hand and one run of its result."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from benchmarks.options import Options
from benchmarks.processes import make_process_subject
from benchmarks.table import Row, compare_cost
from benchmarks.timing import take_turns

SCRIPT = Path(__file__).with_name("plain_routes.py")
SUFFIXES = {"saved_model": "", "pb": ".pb", "tflite": ".tflite", "onnx": ".onnx", "stablehlo": ".stablehlo"}
ROUTES = {"tf": ("saved_model", "pb", "tflite", "onnx"), "jax": ("stablehlo", "saved_model", "tflite", "onnx")}
NAMES = {"tf": "a Keras block of a transformer", "jax": "a JAX function"}
OURS = {
    "tf": """
import sys
import dummyio
from benchmarks.plain_routes import make_keras_model
dummyio.export(make_keras_model(), sys.argv[1], force=True)
""",
    "jax": """
import sys
import dummyio
from benchmarks.plain_routes import make_jax_function
from dummyio import Dim, InputSpec, TensorSpec
spec = InputSpec({"features": TensorSpec("features", (Dim("batch", 2), Dim("length", 16), 32))})
dummyio.export(make_jax_function(), sys.argv[1], spec=spec, force=True)
""",
}
_TURNS = 3


def measure(framework: str, options: Options) -> list[Row]:
    """Return a comparison for each route of a framework."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for route in ROUTES[framework]:
            ours, plain = (str(Path(folder) / f"{who}_{route}{SUFFIXES[route]}") for who in ("ours", "plain"))
            times = take_turns(
                {
                    "plain": make_process_subject(str(SCRIPT), framework, route, plain),
                    "ours": make_process_subject("-c", OURS[framework], ours),
                },
                1 if options.quick else _TURNS,
            )
            what = f"dummyio.export, {NAMES[framework]}, {route}"
            rows.append(compare_cost("routes", what, "a script by hand", times["ours"], times["plain"], 1.3))
    return rows


PARTS = {framework: partial(measure, framework) for framework in ROUTES}
