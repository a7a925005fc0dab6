"""Whole processes from start to a description, compared with ``import numpy`` and with Optimum."""

from __future__ import annotations

from benchmarks.options import BERT, Options
from benchmarks.processes import PEAK, make_process_subject, run_code
from benchmarks.table import Row, compare_cost, compare_speed
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


def measure_numpy(options: Options) -> list[Row]:
    """Return the comparisons with ``import numpy``."""
    subjects = {
        "numpy": make_process_subject("-c", NUMPY),
        "import": make_process_subject("-c", "import dummyio"),
        "describe": make_process_subject("-m", "dummyio", "describe", str(BERT)),
        "generate": make_process_subject("-c", OURS),
    }
    times = take_turns(subjects, options.process_turns)
    loaded = run_code(LOADED)
    return [
        compare_cost("startup", "import dummyio", NUMPY, times["import"], times["numpy"], 2),
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
        compare_cost("startup", "dummyio describe bert-base/config.json", NUMPY, times["describe"], times["numpy"], 4),
        compare_cost("startup", "describe and generate in Python", NUMPY, times["generate"], times["numpy"]),
    ]


def measure_optimum(options: Options) -> list[Row]:
    """Return the comparisons with Optimum, in its own environment."""
    assert options.optimum is not None
    subjects = {
        "dummyio": make_process_subject("-c", OURS),
        "optimum": make_process_subject("-c", OPTIMUM, python=options.optimum),
    }
    times = take_turns(subjects, options.process_turns)
    peak = f"\nimport json; print(json.dumps({PEAK}))"
    ours, theirs = run_code(OURS + peak), run_code(OPTIMUM + peak, python=options.optimum)
    return [
        compare_speed(
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


PARTS = {"np": measure_numpy, "optimum": measure_optimum}
