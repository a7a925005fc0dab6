"""Filling allocated memory with large tensors, compared with memset and with the generators of the frameworks."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np

from benchmarks.options import MIB, Options, format_mib
from benchmarks.table import Row, compare_speed
from benchmarks.timing import make_subject, take_turns
from dummyio.materialize.block_fill import fill_sampler
from dummyio.materialize.elementwise_rules import make_sampler
from dummyio.spec.dtypes import DType
from dummyio.spec.values import Rule, Uniform

UNIT = Uniform()
RULES: dict[str, Rule] = {"float16": UNIT, "bfloat16": UNIT, "int8": Uniform(0, 100), "int64": Uniform(0, 30522)}
"""The rules for dtypes other than float32."""
KEY = (0x1234_5678, 0x9ABC_DEF0)


def measure_numpy(options: Options) -> list[Row]:
    """Return the rows that need only NumPy."""
    rows = []
    for size in options.sizes:
        memory = allocate_memory(size)
        numbers, generator = memory.view(np.float32), np.random.default_rng(0)
        subjects = {
            "fill": make_subject(make_filler(memory, "float32", UNIT)),
            "alone": make_subject(make_filler(memory, "float32", UNIT, threads=1)),
            "memset": make_subject(lambda at=memory.ctypes.data, size=size: ctypes.memset(at, 3, size)),
            "random": make_subject(lambda numbers=numbers, g=generator: g.random(out=numbers, dtype=np.float32)),
        }
        times = take_turns(subjects, options.turns)
        what = f"float32, {format_mib(size)}"
        rows += [
            compare_speed("fill", what, "memset", times["fill"], times["memset"], 0.8),
            compare_speed("fill", f"{what}, one thread", "memset", times["alone"], times["memset"]),
            compare_speed("fill", what, "numpy.random, out=", times["fill"], times["random"]),
        ]
    return rows


def measure_torch(options: Options) -> list[Row]:
    """Return the comparisons with PyTorch."""
    import torch

    rows = []
    for size in options.sizes:
        memory = allocate_memory(size)
        tensor = torch.from_numpy(memory).view(torch.float32)
        subjects = {
            "fill": make_subject(make_filler(memory, "float32", UNIT)),
            "rand": make_subject(lambda tensor=tensor: torch.rand(tensor.shape, out=tensor)),
            "uniform": make_subject(tensor.uniform_),
        }
        times = take_turns(subjects, options.turns)
        what = f"float32, {format_mib(size)}"
        rows += [
            compare_speed("fill", what, "torch.rand, out=", times["fill"], times["rand"], 4),
            compare_speed("fill", what, "torch uniform_", times["fill"], times["uniform"], 4),
        ]
    memory = allocate_memory(options.sizes[0])
    for dtype, rule in RULES.items():
        tensor = torch.from_numpy(memory).view(getattr(torch, dtype))
        drawn = tensor.uniform_ if rule is UNIT else (lambda tensor=tensor, high=rule.high: tensor.random_(0, high))
        times = take_turns(
            {"fill": make_subject(make_filler(memory, dtype, rule)), "torch": make_subject(drawn)}, options.turns
        )
        name = "torch uniform_" if rule is UNIT else "torch random_"
        rows.append(
            compare_speed("fill", f"{dtype}, {memory.nbytes // MIB} MiB", name, times["fill"], times["torch"], 4)
        )
    return rows


def allocate_memory(size: int) -> np.ndarray:
    """Return memory whose pages the system has already mapped."""
    memory = np.empty(size, np.uint8)
    memory.fill(1)
    return memory


def make_filler(memory: np.ndarray, dtype: str, rule: Rule, threads: int | None = None) -> Callable[[], None]:
    """Return a function that fills `memory` by a rule."""
    kind = DType.of(dtype)
    flat, drawn = memory.view(kind.numpy), make_sampler(rule, kind)
    assert drawn is not None
    return lambda: fill_sampler(flat, drawn, KEY, threads)


PARTS = {"np": measure_numpy, "pt": measure_torch}
