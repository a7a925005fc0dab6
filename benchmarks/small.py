"""Small inputs, where overhead dominates: the three inputs of BERT from an existing spec, a new sample each time.

All work is done in one thread, so that processor time is measured.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from time import thread_time
from typing import Any

import numpy as np

import dummyio
from benchmarks.options import BERT, Options
from benchmarks.processes import Worker
from benchmarks.table import Row, compare_cost
from benchmarks.timing import Subject, make_subject, take_turns

WHAT = "BERT's inputs, generate('np')"
FACE = "UniversalOnnxConfig(config).generate_dummy_inputs()"
DESCRIBED = "describe(config).generate('pt')"
LEAST = 0.002
"""The minimum duration of a turn, in seconds."""


def measure_numpy(options: Options) -> list[Row]:
    """Return the rows that need only NumPy."""
    subjects = {
        "one": make_single_subject(),
        "many": make_batch_subject(64 if options.quick else 256),
        "numpy": make_subject(generate_by_hand, thread_time),
    }
    times = take_turns(subjects, options.short_turns, LEAST)
    together = f"samples({64 if options.quick else 256}), each"
    return [
        compare_cost("small", together, WHAT, times["many"], times["one"], 1),
        compare_cost("small", WHAT, "numpy.random by hand, one length for all", times["one"], times["numpy"]),
    ]


def measure_configuration(options: Options) -> list[Row]:
    """Return the rows of `UniversalOnnxConfig`: a description and a sample, against those of `describe`."""
    if find_spec("transformers") is None or find_spec("torch") is None:
        return [Row(topic="small", what=FACE, peer=DESCRIBED, skipped="Transformers or PyTorch is not installed")]
    transformers: Any = import_module("transformers")
    from dummyio.onnx import UniversalOnnxConfig

    config = transformers.BertConfig()
    subjects = {
        "face": make_subject(lambda: UniversalOnnxConfig(config).generate_dummy_inputs(), thread_time),
        "describe": make_subject(lambda: dummyio.describe(config).generate("pt"), thread_time),
    }
    times = take_turns(subjects, options.short_turns, LEAST)
    return [compare_cost("small", FACE, DESCRIBED, times["face"], times["describe"], 1.2)]


def measure_optimum(options: Options) -> list[Row]:
    """Return the comparisons with Optimum, which measures in its own process."""
    assert options.optimum is not None
    worker = Worker(options.optimum, str(Path(__file__).with_name("optimum_worker.py")), str(BERT.parent))
    try:
        names = ("generators-np", "generators-pt", "config-np", "config-pt")
        subjects = {
            "one": make_single_subject(),
            "many": make_batch_subject(256),
            **{name: worker.make_subject(name) for name in names},
        }
        times = take_turns(subjects, options.short_turns, LEAST)
    finally:
        worker.close()
    rows = [
        compare_cost("small", WHAT, f"{worker.hello}, {name.replace('-', ', ')}", times["one"], times[name], 1)
        for name in names
    ]
    return [
        *rows,
        compare_cost("small", "samples(256), each", f"{worker.hello}, {names[0]}", times["many"], times[names[0]], 1),
    ]


def make_single_subject() -> Subject:
    """Return the subject that makes one sample at a time."""
    spec, samples = dummyio.describe(BERT), count()
    return make_subject(lambda: spec.generate("np", sample=next(samples)), thread_time)


def make_batch_subject(number: int) -> Subject:
    """Return the subject that makes many samples at once; its seconds are per sample."""
    spec, starts = dummyio.describe(BERT), count(step=number)
    run = make_subject(lambda: list(spec.samples(number, start=next(starts))), thread_time)
    return lambda times: run(max(1, times // number)) / number


def generate_by_hand() -> dict[str, np.ndarray]:
    """Return the same names and shapes from plain random numbers, whose ids do not follow the mask."""
    kept = np.random.randint(1, 16)  # noqa: NPY002 - the fastest in NumPy
    return {
        "input_ids": np.random.randint(0, 30522, (2, 16)),  # noqa: NPY002
        "attention_mask": np.concatenate([np.ones((2, kept), np.int64), np.zeros((2, 16 - kept), np.int64)], axis=-1),
        "token_type_ids": np.random.randint(0, 2, (2, 16)),  # noqa: NPY002
    }


PARTS = {"np": measure_numpy, "pt": measure_configuration, "optimum": measure_optimum}
