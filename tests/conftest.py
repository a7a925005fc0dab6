"""What the tests of the core share: a way to make one tensor, and a spec in which every rule stands.

Without the packages of the extra `test`, all tests are skipped, with one line that states what to install.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pytest


def is_missing(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return True
    return False


if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # a job in the background: its children would ignore interrupts too
    signal.signal(signal.SIGINT, signal.default_int_handler)

MISSING = list(filter(is_missing, ("dummyio", "numpy", "hypothesis", "jsonschema")))

if MISSING:
    collect_ignore_glob = ["*"]

    def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.write_line(
            f"All tests are skipped: {', '.join(MISSING)} not installed. Install this checkout with what its tests need: "
            "pip install -e '.[test]'. CONTRIBUTING.md has the frameworks."
        )

else:
    import numpy as np
    from hypothesis import settings

    from dummyio.input_spec import InputSpec
    from dummyio.spec.dims import Dim
    from dummyio.spec.spec_data import OutputSpec
    from dummyio.spec.tensor_spec import Nest, TensorSpec
    from dummyio.spec.values import (
        Boxes,
        Choices,
        Constant,
        Grid,
        Labels,
        Normal,
        OneHot,
        PaddingMask,
        Positions,
        Range,
        Rule,
        Strings,
        TokenIds,
        Uniform,
    )

    # The same examples in every run; HYPOTHESIS_PROFILE=search looks for new ones.
    settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
    settings.register_profile("search", deadline=None, database=None, max_examples=1000)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))

    BATCH = Dim("batch_size", 3, max=1 << 20)
    LENGTH = Dim("sequence_length", 7, min=0)
    PAST = Dim("past_sequence_length", 4, min=0)
    WIDTH = Dim("width", 6, min=0)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz-share", type=float, default=0.05, help="The share of the inputs of tests/fuzz that run.")
    parser.addoption("--fuzz-seed", type=int, default=0, help="Selects the inputs of tests/fuzz.")


@pytest.fixture(autouse=True)
def no_budget_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DUMMYIO_MEMORY_BUDGET", raising=False)


@pytest.fixture(scope="session")
def make() -> Callable[..., np.ndarray]:
    """``make(rule, dtype, shape, seed=, sample=)``: one tensor, of the path ``x``."""

    def make(rule: Rule, dtype: object, shape: tuple[int, ...], **which: int) -> np.ndarray:
        return InputSpec({"x": TensorSpec("x", shape, dtype, rule)}).feeds(**which)["x"]

    return make


def every_rule() -> dict[str, Any]:
    """An input for every rule, and for rules that follow masks of both sides, shorter than them too."""
    ids = {"high": 1000, "reserved": (0, 3, 4, 500, 999), "pad": 0}
    return {
        "attention_mask": TensorSpec("", (BATCH, LENGTH), "int64", PaddingMask()),
        "left_mask": TensorSpec("", (BATCH, PAST + LENGTH), "bool", PaddingMask("left", least=2)),
        "full_mask": TensorSpec("", (BATCH, LENGTH), "float32", PaddingMask(policy="full")),
        "input_ids": TensorSpec("", (BATCH, LENGTH), "int64", TokenIds(**ids, mask="attention_mask", first=1, last=2)),
        "decoder_ids": TensorSpec("", (BATCH, LENGTH), "int32", TokenIds(**ids, mask="left_mask", last=2)),
        "plain_ids": TensorSpec("", (BATCH, LENGTH), "uint16", TokenIds(**ids)),
        "position_ids": TensorSpec("", (BATCH, LENGTH), "int64", Positions(mask="left_mask")),
        "cache_position": TensorSpec("", (LENGTH,), "int64", Positions(start="past_sequence_length")),
        "labels": TensorSpec("", (BATCH, LENGTH), "int64", Labels(50, ignored=0.25, mask="attention_mask")),
        "pixel_values": TensorSpec("", (BATCH, 3, WIDTH, WIDTH // 2), "float32", Uniform(-1, 1)),
        "wide": TensorSpec("", (BATCH, WIDTH), "float64", Uniform(-1e300, 1e300)),
        "half": TensorSpec("", (BATCH, WIDTH), "bfloat16", Uniform(0, 255)),
        "tiny": TensorSpec("", (BATCH, WIDTH), "float8_e4m3fn", Uniform(-1, 1)),
        "bytes": TensorSpec("", (BATCH, WIDTH), "uint8", Uniform(0, 256)),
        "long": TensorSpec("", (BATCH, WIDTH), "uint64", Uniform(0, 2**64)),
        "flags": TensorSpec("", (BATCH, WIDTH), "bool"),
        "wave": TensorSpec("", (BATCH, WIDTH), "complex64", Normal()),
        "noise": TensorSpec("", (BATCH, WIDTH), "float32", Normal(2, 3)),
        "scale": TensorSpec("", (), "float32", Constant(0.5)),
        "seven": TensorSpec("", (BATCH, WIDTH), "int4", Constant(7)),
        "times": TensorSpec("", (BATCH, WIDTH), "float32", Range(-1, 0.25)),
        "choice": TensorSpec("", (BATCH, WIDTH), "float16", Choices((1, 2.5, -3))),
        "class": TensorSpec("", (BATCH, WIDTH), "int8", OneHot()),
        "boxes": TensorSpec("", (BATCH, WIDTH, 4), "float32", Boxes(0, 1000)),
        "cells": TensorSpec("", (BATCH, WIDTH, 2), "int64", Grid("width // 2 + 1")),
        "texts": TensorSpec("", (BATCH, WIDTH), "string", Strings()),
        "number": TensorSpec("", (), "int64", Uniform(0, 1 << 40)),
        "past_key_values": Nest.of(
            "cache", [(TensorSpec("", (BATCH, 2, PAST, 3)), TensorSpec("", (BATCH, 2, PAST, 3)))] * 2
        ),
    }


@pytest.fixture(scope="session")
def zoo() -> InputSpec:
    """A spec in which every rule stands, with names that repeat nothing and sizes that can grow."""
    return InputSpec(
        every_rule(),
        task="everything",
        outputs=(OutputSpec("logits", (BATCH, LENGTH, 10), "float32"), OutputSpec("unknown")),
        provenance={"source": "the tests"},
    )
