"""Large tensors: blocks, threads and copies do not show in the values."""

import os
import subprocess
import sys
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from dummyio.input_spec import InputSpec
from dummyio.materialize import block_fill as fill
from dummyio.materialize.block_fill import fill_sampler
from dummyio.materialize.counter_rng import PERIOD, combine_keys, path_key, random_words, sample_key
from dummyio.materialize.elementwise_rules import draw_integers, make_sampler
from dummyio.materialize.generate import materialize_part
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import (
    Boxes,
    Choices,
    Constant,
    Labels,
    Normal,
    OneHot,
    PaddingMask,
    Strings,
    TokenIds,
    Uniform,
)

KEY = combine_keys(path_key("x"), sample_key(0, 0))
RULES = [
    (Uniform(), "float32"),
    (Uniform(-1, 1), "float64"),
    (Uniform(0, 255), "bfloat16"),
    (Uniform(), "float8_e5m2"),
    (Uniform(0, 2), "bool"),
    (Uniform(0, 2**60), "int64"),
    (Uniform(), "complex64"),
    (Normal(), "complex128"),
    (TokenIds(1000, reserved=(5, 900)), "int32"),
    (Labels(10, ignored=0.5), "int64"),
    (Choices((1, 2, 3)), "int4"),
    (Constant(2), "uint8"),
]
SIZES = [1, 7, fill._BLOCK - 1, fill._BLOCK, fill._BLOCK + 1, 6 * fill._BLOCK + 5]


def filled(rule, dtype, size, threads):
    dtype = DType.of(dtype)
    out = np.zeros(size, dtype.numpy)
    fill_sampler(out, make_sampler(rule, dtype), KEY, threads)
    return out


def plainly(rule, dtype, places):
    """The values at some places, without blocks, threads and copies."""
    made = make_sampler(rule, DType.of(dtype))
    drawn = [random_words((places % PERIOD).astype(np.uint32), KEY, stream) for stream in range(made.words)]
    return made.values([draw_integers(word, made.draw) for word in drawn] if made.draw else drawn)


@pytest.mark.parametrize(("rule", "dtype"), RULES, ids=str)
def test_blocks_and_threads_do_not_show(rule, dtype):
    for size in SIZES:
        alone, pool = filled(rule, dtype, size, 1), filled(rule, dtype, size, None)
        assert alone.tobytes() == pool.tobytes()
        expected = plainly(rule, dtype, np.arange(size))
        assert alone.tobytes() == np.broadcast_to(expected, alone.shape).tobytes()


@pytest.mark.parametrize(("rule", "dtype"), RULES[:3] + RULES[-3:], ids=str)
@pytest.mark.parametrize("size", [PERIOD - 1, PERIOD, PERIOD + 1, 2 * PERIOD, 3 * PERIOD + 12_345])
def test_what_is_copied_is_what_would_be_computed(rule, dtype, size):
    values = filled(rule, dtype, size, None)
    assert values.tobytes() == filled(rule, dtype, size, 1).tobytes()
    edges = np.concatenate(
        [np.arange(max(0, at - 50), min(size, at + 50)) for at in (0, fill._COPY, PERIOD, 2 * PERIOD, size)]
    )
    assert values[edges].tobytes() == np.broadcast_to(plainly(rule, dtype, edges), edges.shape).tobytes()


def test_texts_are_copied_too(monkeypatch):
    monkeypatch.setattr(fill, "PERIOD", 1000)  # a million texts take seconds
    values = filled(Strings(), "string", 3456, None)
    assert values.tolist() == [*(plainly(Strings(), "string", np.arange(1000)).tolist() * 4)][:3456]


LARGE = [
    ((70, 300), TokenIds(100, mask="mask", first=1, last=2), "int64"),
    ((7, 10, 300), Labels(100, mask="mask"), "int32"),
    ((70, 300), OneHot(), "int8"),
    ((9_000, 4), Boxes(), "float32"),
    ((3, 5, 7, 300), PaddingMask("left"), "bool"),
    ((40_000,), PaddingMask(), "bool"),
    ((1, 40_000), OneHot(), "bool"),
    ((40_000, 0), PaddingMask(), "bool"),
    ((40_000, 1), PaddingMask(), "bool"),
    ((40_000, 0), OneHot(), "bool"),
    ((0, 40_000), TokenIds(100, mask="mask", last=2), "int64"),
]


@pytest.mark.parametrize(("shape", "rule", "dtype"), LARGE, ids=str)
@pytest.mark.parametrize("rows", [1, 1000, 1 << 20])
def test_groups_of_rows_do_not_show(shape, rule, dtype, rows, monkeypatch):
    if rows == 1:  # a group for each row: as many groups, and no more, show as much
        shape = tuple(min(size, 40) for size in shape)
    inputs = {"x": TensorSpec("", shape, dtype, rule)}
    if getattr(rule, "mask", None):
        inputs["mask"] = TensorSpec("", (*shape[:-1], shape[-1] + 3), "int64", PaddingMask())
    spec = InputSpec(inputs)
    monkeypatch.setattr(fill, "_ROWS", rows)
    values = spec.feeds()["x"]
    assert values.shape == shape
    assert values.tobytes() == materialize_part(spec, "x", []).tobytes()


def test_threads_that_fill_at_the_same_time_do_not_mix():
    rules = [("float32", Uniform()), ("int64", TokenIds(1000, reserved=(5,))), ("complex128", Normal()), ("bool", None)]
    spec = InputSpec({f"{dtype}": TensorSpec("", (300_000,), dtype, rule) for dtype, rule in rules})
    expected = [{path: values.tobytes() for path, values in spec.feeds(seed=seed).items()} for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        made = pool.map(lambda seed: spec.feeds(seed=seed % 4), range(12))
        for seed, values in enumerate(made):
            assert {path: array.tobytes() for path, array in values.items()} == expected[seed % 4]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_makes_large_tensors_too():
    """What a data loader does: its workers are forked from a process that has made tensors already."""
    code = """if True:
        import os, sys, warnings
        warnings.simplefilter("ignore")  # newer Pythons warn of fork and threads
        from dummyio.input_spec import InputSpec
        from dummyio.spec.tensor_spec import TensorSpec
        spec = InputSpec({"x": TensorSpec("", (2_500_000,))})
        before = spec.feeds()["x"].tobytes()
        child = os.fork()
        if child == 0:
            os._exit(0 if spec.feeds()["x"].tobytes() == before else 1)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    done = subprocess.run([sys.executable, "-c", code], timeout=60, check=False)
    assert done.returncode == 0


def test_a_copy_that_waits_for_a_thread_does_not_keep_the_tensor(monkeypatch):
    """A cancelled copy stays in the queue of the pool until a thread takes it."""
    busy, pool = threading.Event(), ThreadPoolExecutor(1)
    pool.submit(busy.wait)
    monkeypatch.setattr(fill, "_pool", lambda: pool)
    monkeypatch.setattr(fill, "_count_processors", lambda: 2)
    spec = InputSpec({"x": TensorSpec("x", (3 << 20,), "float32")})
    tracemalloc.start()
    try:
        assert spec.feeds()["x"].size == 3 << 20
        assert tracemalloc.get_traced_memory()[0] < spec.nbytes() // 2
    finally:
        tracemalloc.stop()
        busy.set()
        pool.shutdown()
