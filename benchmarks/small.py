"""Small inputs, where all is overhead: BERT's three, from a spec that is there already, a new sample each time.

All of it is one thread's work, so what is measured is processor time.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path
from time import thread_time

import numpy as np

import dummyio
from benchmarks.options import BERT, Options
from benchmarks.processes import Worker
from benchmarks.table import Row, costs
from benchmarks.timing import Subject, subject, take_turns

WHAT = "BERT's inputs, generate('np')"
LEAST = 0.002
"""Seconds that a turn takes at least."""


def numpy(options: Options) -> list[Row]:
    """Return the rows that need NumPy alone."""
    subjects = {"one": one(), "many": many(64 if options.quick else 256), "numpy": subject(by_hand, thread_time)}
    times = take_turns(subjects, options.short_turns, LEAST)
    together = f"samples({64 if options.quick else 256}), each"
    return [
        costs("small", together, WHAT, times["many"], times["one"], 1),
        costs("small", WHAT, "numpy.random by hand, one length for all", times["one"], times["numpy"]),
    ]


def optimum(options: Options) -> list[Row]:
    """Return the rows against Optimum, which times inside its own interpreter."""
    assert options.optimum is not None
    worker = Worker(options.optimum, str(Path(__file__).with_name("optimum_worker.py")), str(BERT.parent))
    try:
        names = ("generators-np", "generators-pt", "config-np", "config-pt")
        subjects = {"one": one(), "many": many(256), **{name: worker.subject(name) for name in names}}
        times = take_turns(subjects, options.short_turns, LEAST)
    finally:
        worker.close()
    rows = [
        costs("small", WHAT, f"{worker.hello}, {name.replace('-', ', ')}", times["one"], times[name], 1)
        for name in names
    ]
    return [
        *rows,
        costs("small", "samples(256), each", f"{worker.hello}, {names[0]}", times["many"], times[names[0]], 1),
    ]


def one() -> Subject:
    """Return the subject that makes a sample at a time."""
    spec, samples = dummyio.describe(BERT), count()
    return subject(lambda: spec.generate("np", sample=next(samples)), thread_time)


def many(number: int) -> Subject:
    """Return the subject that makes many at once; its seconds are those of one sample."""
    spec, starts = dummyio.describe(BERT), count(step=number)
    run = subject(lambda: list(spec.samples(number, start=next(starts))), thread_time)
    return lambda times: run(max(1, times // number)) / number


def by_hand() -> dict[str, np.ndarray]:
    """Make the same names and shapes as generators of random numbers do: no id follows the mask."""
    kept = np.random.randint(1, 16)  # noqa: NPY002 - the quickest that NumPy has
    return {
        "input_ids": np.random.randint(0, 30522, (2, 16)),  # noqa: NPY002
        "attention_mask": np.concatenate([np.ones((2, kept), np.int64), np.zeros((2, 16 - kept), np.int64)], axis=-1),
        "token_type_ids": np.random.randint(0, 2, (2, 16)),  # noqa: NPY002
    }


PARTS = {"np": numpy, "optimum": optimum}
