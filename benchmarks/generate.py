"""Large tensors as users ask for them, allocation included: ``spec.generate`` compared with each framework's own functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count

import numpy as np

from benchmarks.fill import RULES, UNIT
from benchmarks.options import Options, format_mib
from benchmarks.table import Row, compare_speed
from benchmarks.timing import make_subject, take_turns
from dummyio.input_spec import InputSpec
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import TensorSpec

DTYPES = {"float32": UNIT, **RULES}
Maker = Callable[[], object]
"""Makes a framework's tensor of random numbers, and waits until it is complete."""


def measure_numpy(options: Options) -> list[Row]:
    """Return the comparisons with NumPy."""
    rows = []
    for size in options.sizes:
        n, generator = size // 4, np.random.default_rng(0)
        peers: dict[str, Maker] = {
            "numpy Generator.random": lambda n=n, g=generator: g.random(n, dtype=np.float32),
            "numpy.random.uniform, astype": lambda n=n: np.random.uniform(size=n).astype(np.float32),  # noqa: NPY002 - as Optimum does
        }
        rows += compare_makers("np", "float32", size, peers, options)
    return rows


def measure_torch(options: Options) -> list[Row]:
    """Return the comparisons with PyTorch."""
    import torch

    def integers(dtype: str, n: int) -> Maker:
        kind = getattr(torch, dtype)
        return lambda: torch.randint(0, RULES[dtype].high, (n,), dtype=kind)

    rows = []
    for size in options.sizes:
        rows += compare_makers(
            "pt", "float32", size, {"torch.rand": lambda n=size // 4: torch.rand(n)}, options, target=4
        )
    size = options.sizes[0]
    for dtype, rule in RULES.items():
        n = size // DType.of(dtype).itemsize
        kind = getattr(torch, dtype)
        own = (lambda n=n, kind=kind: torch.rand(n, dtype=kind)) if rule is UNIT else integers(dtype, n)
        name = "torch.rand" if rule is UNIT else "torch.randint"
        rows += compare_makers("pt", dtype, size, {name: own}, options, target=4)
    return rows


def measure_tensorflow(options: Options) -> list[Row]:
    """Return the comparisons with TensorFlow, which draws no `int8` but casts `int32`."""
    import tensorflow as tf

    def own(dtype: str, n: int) -> Maker:
        if DTYPES[dtype] is UNIT:
            return lambda: tf.random.uniform([n], dtype=dtype)
        drawn = "int32" if dtype == "int8" else dtype
        high = DTYPES[dtype].high
        return lambda: tf.cast(tf.random.uniform([n], 0, high, dtype=drawn), dtype)

    size, rows = options.sizes[0], []
    for dtype in DTYPES:
        peer = {"tf.random.uniform": own(dtype, size // DType.of(dtype).itemsize)}
        rows += compare_makers("tf", dtype, size, peer, options, target=4)
    return rows


def measure_jax(options: Options) -> list[Row]:
    """Return the comparisons with JAX, compiled, with a new key in each turn."""
    import jax

    jax.config.update("jax_enable_x64", True)
    keys = map(jax.random.key, count())

    def own(dtype: str, n: int) -> Maker:
        rule = DTYPES[dtype]
        if rule is UNIT:
            draw = jax.jit(lambda key: jax.random.uniform(key, (n,), dtype))
        else:
            draw = jax.jit(lambda key: jax.random.randint(key, (n,), 0, rule.high, dtype))
        return lambda: draw(next(keys)).block_until_ready()

    size, rows = options.sizes[0], []
    for dtype in DTYPES:
        peer = {"jax.random": own(dtype, size // DType.of(dtype).itemsize)}
        rows += compare_makers("jax", dtype, size, peer, options, target=4)
    return rows


def compare_makers(
    framework: str, dtype: str, size: int, peers: Mapping[str, Maker], options: Options, target: float | None = None
) -> list[Row]:
    """Return a row for each peer; all of them and dummyio take turns."""
    n = size // DType.of(dtype).itemsize
    spec, samples = InputSpec({"x": TensorSpec("x", (n,), dtype, DTYPES[dtype])}), count()
    subjects = {
        "dummyio": make_subject(lambda: spec.generate(framework, sample=next(samples))),
        **{name: make_subject(make) for name, make in peers.items()},
    }
    times = take_turns(subjects, options.turns)
    what = f"generate({framework!r}), {dtype}, {format_mib(size)}"
    return [compare_speed("generate", what, name, times["dummyio"], times[name], target) for name in peers]


PARTS = {"np": measure_numpy, "pt": measure_torch, "tf": measure_tensorflow, "jax": measure_jax}
