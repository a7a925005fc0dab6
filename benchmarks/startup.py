"""Whole processes, from nothing to a description: against importing NumPy, and against Optimum's way."""

from __future__ import annotations

from benchmarks.options import BERT, Options
from benchmarks.processes import PEAK, process, value
from benchmarks.table import Row, costs, faster
from benchmarks.timing import take_turns

NUMPY = "import numpy"
FRAMEWORKS = ("torch", "tensorflow", "jax", "onnx", "onnxruntime", "transformers", "keras")
LOADED = f"import json, sys, dummyio; print(json.dumps([name for name in {FRAMEWORKS} if name in sys.modules]))"
OURS = f"import dummyio; dummyio.describe({str(BERT)!r}).generate('np')"
OPTIMUM = f"""
from optimum.exporters.onnx.model_configs import BertOnnxConfig
from transformers import AutoConfig
BertOnnxConfig(AutoConfig.from_pretrained({str(BERT.parent)!r}), task="fill-mask").generate_dummy_inputs(framework="np")
"""


def numpy(options: Options) -> list[Row]:
    """Return the rows against importing NumPy."""
    subjects = {
        "numpy": process("-c", NUMPY),
        "import": process("-c", "import dummyio"),
        "describe": process("-m", "dummyio", "describe", str(BERT)),
        "generate": process("-c", OURS),
    }
    times = take_turns(subjects, options.process_turns)
    loaded = value(LOADED)
    return [
        costs("startup", "import dummyio", NUMPY, times["import"], times["numpy"], 2),
        Row(
            topic="startup",
            what="import dummyio: frameworks that it loads",
            peer="none",
            ratio=len(loaded),
            bound="<=",
            target=0,
            unit="count",
            ours=len(loaded),
            theirs=0,
        ),
        costs("startup", "dummyio describe bert-base/config.json", NUMPY, times["describe"], times["numpy"], 4),
        costs("startup", "describe and generate in Python", NUMPY, times["generate"], times["numpy"]),
    ]


def optimum(options: Options) -> list[Row]:
    """Return the rows against Optimum, in its own environment."""
    assert options.optimum is not None
    subjects = {"dummyio": process("-c", OURS), "optimum": process("-c", OPTIMUM, python=options.optimum)}
    times = take_turns(subjects, options.process_turns)
    peak = f"\nimport json; print(json.dumps({PEAK}))"
    ours, theirs = value(OURS + peak), value(OPTIMUM + peak, python=options.optimum)
    return [
        faster(
            "startup", "describe and generate in Python", "Optimum, same model", times["dummyio"], times["optimum"], 10
        ),
        Row(
            topic="startup",
            what="peak memory of that process",
            peer="Optimum, same model",
            ratio=ours / theirs,
            bound="<=",
            target=1,
            unit="bytes",
            ours=ours,
            theirs=theirs,
        ),
    ]


PARTS = {"np": numpy, "optimum": optimum}
