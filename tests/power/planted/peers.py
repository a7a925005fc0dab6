"""What others do to verify an export, on the same artifacts: PyTorch's own verification, and Optimum's."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir
import torch
from torch.onnx.verification import verify_onnx_program

from dummyio.errors import DummyioError
from dummyio.running.runner import open_runner
from dummyio.spec.values import PaddingMask
from planted.registry import exported

Array = np.ndarray[Any, Any]

ATOL = 1e-4
"""What Optimum's configurations ask for, on the whole: 1e-5 is its default, 1e-4 and 1e-3 stand in many of them."""


def torch_finds(name: str, artifact: Path) -> str:
    """Return what ``torch.onnx.export(verify=True)`` would report of an artifact; empty where it finds nothing.

    It runs the exported program and the ONNX model on the example inputs of the export, and reports a difference of 5e-3,
    or a relative one of 0.1.
    """
    model = onnx_ir.external_data.load_to_model(onnx_ir.load(artifact))
    program = torch.onnx.ONNXProgram(model, _program(name))
    try:
        found = verify_onnx_program(program)
    except Exception as error:  # noqa: BLE001 - it does not run: whatever the runtime raises
        return type(error).__name__
    # As the exporter itself judges; what compares with nothing is infinitely far off.
    wrong = [made.name for made in found if made.max_abs_diff >= 5e-3 or made.max_rel_diff >= 1e-1]
    return f"{', '.join(wrong)} off" if wrong else ""


@cache
def _program(name: str) -> torch.export.ExportedProgram:
    logging.getLogger("torch").setLevel(logging.ERROR)
    return torch.export.load(exported(name, ".pt2"))


def allclose_finds(reference: Any, spec: Any, artifact: Path) -> str:
    """Return what a comparison as Optimum's reports: names, shapes and `numpy.allclose`, once, at the default sizes."""
    feeds = optimum_feeds(spec)
    expected = open_runner(reference, spec)(feeds)
    try:
        actual = open_runner(artifact, spec)
        taken = {port.name for port in actual.inputs or ()}
        found = actual({path: value for path, value in feeds.items() if path in taken or not taken})
    except DummyioError as error:
        return type(error).__name__
    return _compared(expected, found)


def _compared(expected: Mapping[str, Array], found: Mapping[str, Array]) -> str:
    if set(found) != set(expected):
        return "output names"
    for name, value in expected.items():
        if found[name].shape != value.shape:
            return f"shape of {name}"
        if not np.allclose(value, found[name], rtol=1e-5, atol=ATOL):
            return f"{name} off"
    return ""


def optimum_feeds(spec: Any) -> dict[str, Array]:
    """Return inputs at the default sizes, with masks as Optimum makes them: all rows padded alike, on the right."""
    feeds = spec.feeds(seed=1)
    for path, leaf in spec.leaves:
        if isinstance(leaf.values, PaddingMask) and feeds[path].shape[-1] > 1:
            columns = np.arange(feeds[path].shape[-1])
            feeds[path][...] = columns < feeds[path].shape[-1] - 5
    return feeds
