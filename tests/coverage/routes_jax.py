"""Measures the export routes of JAX on small models of many kinds, compared with the model itself; writes ``docs/reference/jax.md``.

    python tests/coverage/routes_jax.py [--only scan,attention] [--write]

Each model is described from example arguments, exported on each route, and run at three sizes of every dim. If sizes cannot stay
dynamic, they are fixed: first all but the batch, then all.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.append(str(Path(__file__).parents[1] / "models"))

import numpy as np
from jax_models import CASES, Case
from marks import write_between

import dummyio
from dummyio.errors import DummyioError, ExportError

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "jax.md"
ROUTES = {"StableHLO": "model.stablehlo", "ONNX": "model.onnx", "SavedModel": "saved_model", "TFLite": "model.tflite"}
STATIC = (None, "all_but_batch", "all")


def measure_route(case: Case, file: str) -> tuple[float | None, str, str]:
    """Return the largest difference relative to the largest value, the option ``static`` that was needed, and the reason."""
    spec = dummyio.describe(case.model, **case.options)
    reasons: list[str] = []
    for static in STATIC:
        with tempfile.TemporaryDirectory() as folder:
            try:
                written = dummyio.export(case.model, Path(folder) / file, spec=spec, static=static)
                return compare_results(case, written), static or "", reasons[0] if reasons else ""
            except ExportError as error:
                reasons.append(" ".join(str(error).split()))
    return None, "", reasons[0]


def compare_results(case: Case, written: Any) -> float:
    """Return the largest difference at the sizes that the artifact takes."""
    reference, runner = dummyio.open_runner(case.model, written.spec), dummyio.open_runner(written.path, written.spec)
    worst = 0.0
    for sample, wanted in enumerate(case.sizes):
        sizes = {name: size for name, size in wanted.items() if not written.spec.dims[name].fixed}
        feeds = written.spec.feeds(sample=sample, **sizes)
        expected, results = reference(feeds), runner(feeds)
        if list(expected) != list(results):
            raise ExportError(f"the outputs are {list(results)}, not {list(expected)}.")
        for name, values in expected.items():
            scale = max(float(np.abs(values).max()), 1e-6)
            worst = max(worst, float(np.abs(values - results[name]).max()) / scale)
    return worst


def build_table(names: list[str]) -> str:
    """Return the table with its notes."""
    notes: list[str] = []
    lines = [f"| model | {' | '.join(ROUTES)} |", f"|---|{'---|' * len(ROUTES)}"]
    for name in names:
        case, cells = CASES[name](), []
        for file in ROUTES.values():
            try:
                difference, static, reason = measure_route(case, file)
            except DummyioError as error:
                difference, static, reason = None, "", " ".join(str(error).split())
            cells.append(format_cell(difference, static, reason, notes))
            print(name, file, cells[-1], flush=True)  # noqa: T201
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |")
    used = ", ".join(f"{part} {version(part)}" for part in ("jax", "flax", "jax2onnx", "onnxruntime", "tensorflow"))
    return "\n".join([used + ":", "", *lines, "", *(f"{n}. {note}" for n, note in enumerate(notes, 1))]).rstrip() + "\n"


def format_cell(difference: float | None, static: str, reason: str, notes: list[str]) -> str:
    """Return one result as text; a reason becomes a note, without folders of this machine."""
    reason = re.sub(r"/\S*site-packages/", " ", reason)
    if reason and reason not in notes:
        notes.append(reason)
    mark = f" ({notes.index(reason) + 1})" if reason else ""
    if difference is None:
        return f"**no**{mark}"
    return f"{difference:.0e}{f', `{static}`' if static else ''}{mark}"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="names of models, separated by commas", default=",".join(CASES))
    parser.add_argument("--write", action="store_true", help="write the table to docs/reference/jax.md")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    text = build_table(options.only.split(","))
    print(text)  # noqa: T201
    if options.write:
        write_between(PAGE, text.rstrip("\n"))


if __name__ == "__main__":
    main()
