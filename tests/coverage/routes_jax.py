"""Measures the export routes of JAX on programs of many kinds, compared with the program itself; writes ``docs/reference/jax.md``.

    python tests/coverage/routes_jax.py [--only scan,attention] [--rows FILE] [--write]

Each program is described from example arguments, run, exported on each route, and compared at two sizes of every dim, which are not
those that the export itself compares. If sizes cannot stay dynamic, they are fixed: first all but the batch, then all. Each export is
timed beside the converter alone. ``--rows`` stores results in a file, and they are not measured again.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault(
    "XLA_FLAGS", "--xla_backend_optimization_level=0"
)  # the programs are small: compiling takes the time
sys.path.append(str(Path(__file__).parents[1] / "models"))

import jax
import jax.export
import jax_models
import numpy as np
from child_runs import KeptRows, run_in_children, serve
from jax_cases import PROGRAMS
from jax_converters import CONVERTERS
from marks import write_between

import dummyio
from dummyio.errors import DummyioError, ExportError
from dummyio.exporting.stages import Stage, listen_to_stages

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "jax.md"
ROUTES = {"StableHLO": "model.stablehlo", "ONNX": "model.onnx", "SavedModel": "saved_model", "TFLite": "model.tflite"}
STATIC = (None, "all_but_batch", "all")
SECONDS = 120
TOLERANCE, COARSE = 1e-4, 2e-2
"""As much a result may differ, relative to the largest value: in 32 bits, and with 16-bit numbers inside."""
NARROW = ("half_precision_layer", "bfloat16_inside")
NAMES = (*PROGRAMS, *jax_models.CASES)


def build(name: str) -> tuple[Any, dict[str, Any]]:
    """Return a program and the options that describe it."""
    if name in jax_models.CASES:
        case = jax_models.CASES[name]()
        return case.model, case.options
    model, arguments = PROGRAMS[name]()
    return model, {"args": arguments}


def measure(routes: Sequence[str], name: str) -> dict[str, Any]:
    """Return the row of one program: its state, and the cell of each of the routes."""
    row: dict[str, Any] = {"name": name, "state": "describe", "reason": "", "cells": {}}
    try:
        model, options = build(name)
        spec = dummyio.describe(model, **options)
        row["state"] = "run"
        reference = dummyio.open_runner(model, spec)
        for sizes in choose_sizes(spec):
            reference(spec.feeds(sample=1, **sizes))
        row["state"] = "done"
    except DummyioError as error:
        row["reason"] = clean(error)
        return row
    for route in routes:
        row["cells"][route] = measure_route(name, model, spec, route, reference)
    return row


def choose_sizes(spec: dummyio.InputSpec) -> list[dict[str, int]]:
    """Return two assignments of sizes to the dims that are free; no two dims of the first have one size."""
    free = [dim for dim in spec.dims.values() if not dim.fixed]

    def fit(dim: Any, size: int) -> int:
        step = dim.multiple_of
        most = size if dim.max is None else min(size, dim.max)
        return max(most // step * step, -(-max(dim.min, 1) // step) * step)

    starts = ([dim.size + 1 + n for n, dim in enumerate(free)], [1 for _ in free])
    return [{dim.name: fit(dim, size) for dim, size in zip(free, sizes, strict=True)} for sizes in starts]


def measure_route(name: str, model: Any, spec: Any, route: str, reference: Any) -> dict[str, Any]:
    """Return the cell of a route: the difference, the option ``static`` that was needed, the reason, and the seconds."""
    cell: dict[str, Any] = {"difference": None, "static": "", "reason": "", "own": 0.0, "check": 0.0, "plain": 0.0}
    reasons: list[str] = []
    for static in STATIC:
        with tempfile.TemporaryDirectory() as folder:
            stages: list[Stage] = []
            began = time.perf_counter()
            try:
                with listen_to_stages(stages.append):
                    written = limit(
                        partial(dummyio.export, model, Path(folder) / ROUTES[route], spec=spec, static=static)
                    )
                seconds = time.perf_counter() - began
                cell["difference"] = compare_results(reference, written, COARSE if name in NARROW else TOLERANCE)
            except (DummyioError, TimeoutError) as error:
                reasons.append(clean(error))
                continue
            cell |= {"static": static or "", "reason": reasons[0] if reasons else ""}
            check = sum(stage.seconds for stage in stages if stage.name == "check" and stage.state == "done")
            return cell | {"own": seconds, "check": check, "plain": time_converter(model, written.spec, route, folder)}
    return {**cell, "reason": reasons[0]}


def limit(call: Callable[[], Any]) -> Any:
    """Call a function that may take `SECONDS` on the clock."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"took more than {SECONDS} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        return call()
    finally:
        signal.alarm(0)


def time_converter(model: Any, spec: Any, route: str, folder: str) -> float:
    """Return the seconds of the converter alone; 0 if it refuses what dummyio exports."""
    began = time.perf_counter()
    try:
        limit(partial(CONVERTERS[route], model, spec, Path(folder) / "plain"))
    except Exception:  # noqa: BLE001 - a converter may raise anything
        return 0.0
    return time.perf_counter() - began


def compare_results(reference: Any, written: Any, tolerance: float) -> float:
    """Return the largest difference at the sizes that the artifact takes."""
    target = written.path  # the export has opened it; to look for dangers in what is our own takes another process
    if target.suffix == ".stablehlo":
        target = jax.export.deserialize(bytearray(target.read_bytes()))
    runner = dummyio.open_runner(target, written.spec)
    worst = 0.0
    for sample, sizes in enumerate(choose_sizes(written.spec)):
        feeds = written.spec.feeds(sample=sample, **sizes)
        expected, results = reference(feeds), runner(feeds)
        if sorted(expected) != sorted(results):
            raise ExportError(f"the outputs are {list(results)}, not {list(expected)}.")
        for name, values in expected.items():
            wide, found = np.asarray(values, np.complex128), np.asarray(results[name], np.complex128)
            if wide.shape != found.shape:
                raise ExportError(f"silently wrong: {name!r} has shape {found.shape} at {sizes}, not {wide.shape}.")
            wide, found = (np.where(np.isnan(wide) & np.isnan(found), 0, each) for each in (wide, found))
            difference = np.abs(wide - found).max(initial=0) / max(float(np.abs(wide).max(initial=0)), 1e-6)
            if not difference <= tolerance:
                raise ExportError(f"silently wrong: {name!r} is off by {difference:.1e} at {sizes}.")
            worst = max(worst, float(difference))
    return worst


def clean(error: Exception) -> str:
    """Return an error as one line, without folders of this machine."""
    text = re.sub(r"/\S*site-packages/", "", " ".join(str(error).split()))
    return re.sub(r"/\S*/(?=\w+\.py\b)", "", text)[:400]


def build_table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the counts, the table and its notes."""
    notes: list[str] = []
    table = [f"| program | {' | '.join(ROUTES)} |", f"|---|{'---|' * len(ROUTES)}"]
    for row in rows:
        cells = [format_cell(row["cells"].get(route), row["reason"], notes) for route in ROUTES]
        table.append(f"| {row['name'].replace('_', ' ')} | {' | '.join(cells)} |")
    used = ", ".join(f"{part} {version(part)}" for part in ("jax", "flax", "jax2onnx", "onnxruntime", "tensorflow"))
    described = sum(row["state"] != "describe" for row in rows)
    ran = sum(row["state"] == "done" for row in rows)
    head = f"{used}. {len(rows)} programs: described {described}, ran {ran}."
    notes = [f"{n}. {note}" for n, note in enumerate(notes, 1)]
    return "\n".join([head, "", *count_routes(rows), "", *table, "", *notes]).rstrip() + "\n"


def count_routes(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the lines of counts and times of each route."""
    lines = [
        "| route | validated | of these dynamic | seconds, median | of these, the comparison | export, without the comparison, to the converter alone |",
        "|---|---|---|---|---|---|",
    ]
    for route in ROUTES:
        cells = [row["cells"][route] for row in rows if route in row["cells"]]
        right = [cell for cell in cells if cell["difference"] is not None]
        dynamic = sum(not cell["static"] for cell in right)
        own = statistics.median(cell["own"] for cell in right) if right else 0
        check = statistics.median(cell["check"] for cell in right) if right else 0
        pairs = [(cell["own"] - cell["check"]) / cell["plain"] for cell in right if cell["plain"]]
        ratio = f"{statistics.median(pairs):.2f} x" if pairs else ""
        lines.append(f"| {route} | {len(right)} of {len(rows)} | {dynamic} | {own:.2f} | {check:.2f} | {ratio} |")
    return lines


def format_cell(cell: dict[str, Any] | None, reason: str, notes: list[str]) -> str:
    """Return one result as text; a reason becomes a note."""
    cell = cell or {"difference": None, "static": "", "reason": reason}
    reason = cell["reason"]
    if reason and reason not in notes:
        notes.append(reason)
    mark = f" ({notes.index(reason) + 1})" if reason else ""
    if cell["difference"] is None:
        return f"**no**{mark}"
    fixed = f", `{cell['static']}`" if cell["static"] else ""
    return f"{cell['difference']:.0e}{fixed}{mark}"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="names of programs, separated by commas", default=",".join(NAMES))
    parser.add_argument("--rows", type=Path, help="a file of results, which are not measured again")
    parser.add_argument("--write", action="store_true", help="write the table to docs/reference/jax.md")
    parser.add_argument("--routes", help="names of routes, separated by commas", default=",".join(ROUTES))
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    routes = options.routes.split(",")
    if options.serve:
        with tempfile.TemporaryDirectory() as folder:  # the routes of a program are compared with one compilation of it
            jax.config.update("jax_compilation_cache_dir", folder)
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
            jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
            serve(partial(measure, routes))
        return
    kept, rows = KeptRows(options.rows), dict[str, dict[str, Any]]()
    for row in kept.read():
        merge_row(rows, row)
    names = options.only.split(",")
    left = [name for name in names if name not in rows or not {*routes} <= {*rows[name]["cells"]}]
    command = [__file__, "--serve", "--routes", options.routes]
    for name, found, problem in run_in_children(command, left, portion=60, seconds=4 * SECONDS):
        row = found or {"name": name, "state": "describe", "reason": problem, "cells": {}}
        merge_row(rows, row)
        kept.add(row)
        print(name, row, flush=True)  # noqa: T201
    text = build_table([rows[name] for name in names])
    print(text)  # noqa: T201
    if options.write:
        write_between(PAGE, text.rstrip("\n"))


def merge_row(rows: dict[str, dict[str, Any]], row: dict[str, Any]) -> None:
    """Add the row of a program, which keeps the cells that it has of other routes."""
    earlier = rows.get(row["name"], {"cells": {}})["cells"]
    rows[row["name"]] = {**row, "cells": {**earlier, **row["cells"]}}


if __name__ == "__main__":
    main()
