"""Large tensors into memory that is there already: against memset, and against the generators of the frameworks."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np

from benchmarks.options import MIB, Options, mib
from benchmarks.table import Row, faster
from benchmarks.timing import subject, take_turns
from dummyio.materialize.block_fill import fill_sampler
from dummyio.materialize.elementwise_rules import make_sampler
from dummyio.spec.dtypes import DType
from dummyio.spec.values import Rule, Uniform

UNIT = Uniform()
RULES: dict[str, Rule] = {"float16": UNIT, "bfloat16": UNIT, "int8": Uniform(0, 100), "int64": Uniform(0, 30522)}
"""What is drawn of the dtypes other than float32."""
KEY = (0x1234_5678, 0x9ABC_DEF0)


def numpy(options: Options) -> list[Row]:
    """Return the rows that need NumPy alone."""
    rows = []
    for size in options.sizes:
        memory = touched(size)
        numbers, generator = memory.view(np.float32), np.random.default_rng(0)
        subjects = {
            "fill": subject(filler(memory, "float32", UNIT)),
            "alone": subject(filler(memory, "float32", UNIT, threads=1)),
            "memset": subject(lambda at=memory.ctypes.data, size=size: ctypes.memset(at, 3, size)),
            "random": subject(lambda numbers=numbers, g=generator: g.random(out=numbers, dtype=np.float32)),
        }
        times = take_turns(subjects, options.turns)
        what = f"float32, {mib(size)}"
        rows += [
            faster("fill", what, "memset", times["fill"], times["memset"], 0.8),
            faster("fill", f"{what}, one thread", "memset", times["alone"], times["memset"]),
            faster("fill", what, "numpy.random, out=", times["fill"], times["random"]),
        ]
    return rows


def torch(options: Options) -> list[Row]:
    """Return the rows against PyTorch."""
    import torch

    rows = []
    for size in options.sizes:
        memory = touched(size)
        tensor = torch.from_numpy(memory).view(torch.float32)
        subjects = {
            "fill": subject(filler(memory, "float32", UNIT)),
            "rand": subject(lambda tensor=tensor: torch.rand(tensor.shape, out=tensor)),
            "uniform": subject(tensor.uniform_),
        }
        times = take_turns(subjects, options.turns)
        what = f"float32, {mib(size)}"
        rows += [
            faster("fill", what, "torch.rand, out=", times["fill"], times["rand"], 4),
            faster("fill", what, "torch uniform_", times["fill"], times["uniform"], 4),
        ]
    memory = touched(options.sizes[0])
    for dtype, rule in RULES.items():
        tensor = torch.from_numpy(memory).view(getattr(torch, dtype))
        drawn = tensor.uniform_ if rule is UNIT else (lambda tensor=tensor, high=rule.high: tensor.random_(0, high))
        times = take_turns({"fill": subject(filler(memory, dtype, rule)), "torch": subject(drawn)}, options.turns)
        name = "torch uniform_" if rule is UNIT else "torch random_"
        rows.append(faster("fill", f"{dtype}, {memory.nbytes // MIB} MiB", name, times["fill"], times["torch"], 4))
    return rows


def touched(size: int) -> np.ndarray:
    """Return memory that the system has already given out."""
    memory = np.empty(size, np.uint8)
    memory.fill(1)
    return memory


def filler(memory: np.ndarray, dtype: str, rule: Rule, threads: int | None = None) -> Callable[[], None]:
    """Return what fills `memory` by a rule."""
    kind = DType.of(dtype)
    flat, drawn = memory.view(kind.numpy), make_sampler(rule, kind)
    assert drawn is not None
    return lambda: fill_sampler(flat, drawn, KEY, threads)


PARTS = {"np": numpy, "pt": torch}
