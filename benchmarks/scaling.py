"""Growth of cost: linear in the bytes if values are made, none if inputs are only described."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from time import thread_time
from typing import Any

import psutil

import dummyio
from benchmarks.options import MIB, Options, format_mib
from benchmarks.table import Row, compare_cost
from benchmarks.timing import make_subject, take_turns
from dummyio import InputSpec, TensorSpec, materialize_part

LLAMA = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 32000,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "max_position_embeddings": 1 << 40,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GIGABYTE, TERABYTE = 4096, 4096 << 10
"""The number of positions of a cache that takes this much memory."""
LEAST = 0.01
"""The minimum duration of a turn, in seconds."""


def measure_numpy(options: Options) -> list[Row]:
    """Return all rows."""
    return [*_measure_bytes(options), *_measure_past(options)]


def _measure_bytes(options: Options) -> list[Row]:
    """Return the cost of a MiB in tensors of growing size, compared with the smallest."""
    sizes = [size * MIB for size in ((8, 32) if options.quick else (64, 128, 256, 512, 1024))]
    enough = [size for size in sizes if size * 3 < psutil.virtual_memory().available]
    times = take_turns({str(size): make_subject(_make_generator(size)) for size in enough}, options.turns)
    first = sizes[0]
    rows = []
    for size in sizes[1:]:
        what, peer = f"generate('np') of {format_mib(size)}, each MiB", f"of {format_mib(first)}, each MiB"
        if size in enough:
            each, base = ([second / n * MIB for second in times[str(n)]] for n in (size, first))
            rows.append(compare_cost("scaling", what, peer, each, base, 1.25))
        else:
            rows.append(Row(topic="scaling", what=what, peer=peer, skipped="not enough free memory"))
    return rows


def _make_generator(size: int) -> Callable[[], Any]:
    spec, samples = InputSpec({"x": TensorSpec("x", (size // 4,))}), count()
    return lambda: spec.generate("np", sample=next(samples))


def _measure_past(options: Options) -> list[Row]:
    """Return the cost of describing a past of a terabyte, and of a part of it, compared with a past of a gigabyte."""

    def describe(past: int) -> InputSpec:
        return dummyio.describe(LLAMA, "text-generation-with-past", batch_size=1, past_sequence_length=past)

    specs = {past: describe(past) for past in (GIGABYTE, TERABYTE)}
    assert specs[GIGABYTE].nbytes() * 900 < specs[TERABYTE].nbytes()
    path = next(path for path in specs[GIGABYTE].dynamic_axes() if path.startswith("past_key_values"))

    def part(past: int) -> Any:
        return materialize_part(specs[past], path, [slice(None), slice(1), slice(past - 1024, past)])

    works = {
        "description": describe,
        "signature of NumPy": lambda past: specs[past].abstract("np"),
        "part of one layer, 512 KiB": part,
    }
    rows = []
    for what, work in works.items():
        big, small = (
            make_subject(lambda past=past, work=work: work(past), thread_time) for past in (TERABYTE, GIGABYTE)
        )
        times = take_turns({"big": big, "small": small}, options.short_turns, LEAST)
        rows.append(
            compare_cost(
                "scaling",
                f"Llama's inputs with 1 TB of past: {what}",
                "1 GB of past",
                times["big"],
                times["small"],
                1.1,
            )
        )
    return rows


PARTS = {"np": measure_numpy}
