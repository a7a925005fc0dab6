"""Measure which export formats of TensorFlow work on real models, compared with the model itself; write ``docs/reference/tensorflow.md``.

    python tests/coverage/routes_tensorflow.py [--only Bert,T5] [--rows FILE] [--precisions | --programs | --models] [--write]

Each model is described, exported to each format, and run at two sizes of every dynamic axis, or on two samples if there is none.
If sizes cannot stay dynamic, they are made static: first all but the batch, then all. It takes minutes; ``--rows`` stores the
results in a file, and they are not measured again. ``--precisions`` compares the errors of quantized TFLite files with what rounding to that
precision changes in the model itself. ``--programs`` validates plain TensorFlow and Keras programs instead, on the routes without quantization, and
``--models`` every family of Keras Applications and the backbones of Keras Hub.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.append(str(Path(__file__).parent))

import keras
import numpy as np
from marks import write_between
from program_table import measure_models, measure_programs
from tensorflow_cases import CASES, PRECISIONS

import dummyio
from dummyio.errors import ExportError

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "tensorflow.md"
ROUTES: dict[str, tuple[str, dict[str, Any]]] = {
    "SavedModel": ("saved_model", {}),
    ".pb": ("model.pb", {}),
    ".tflite": ("model.tflite", {}),
    "float16": ("half.tflite", {"quantize": "float16"}),
    "dynamic": ("weights.tflite", {"quantize": "dynamic"}),
    "int8": ("int8.tflite", {"quantize": "int8"}),
    ".onnx": ("model.onnx", {}),
}
QUANTIZED = ("fp16", "dynamic", "int8", "int16x8")
EXACT = ("SavedModel", ".pb", ".tflite", ".onnx")
TOLERANCE = 1e-4
"""As much an exact route may differ, relative to the largest value."""


@dataclass
class Cell:
    """The result of one model and format."""

    difference: float | None = None
    static: str = ""
    reason: str = ""

    def text(self, notes: list[str]) -> str:
        """Return the cell for the table; a reason becomes a note."""
        marks = [str(_place(notes, self.reason))] if self.reason else []
        if self.difference is None:
            return f"no [{', '.join(marks)}]"
        fixed = {"": "", "all_but_batch": " *b*", "all": " *s*"}[self.static]
        return f"{self.difference:.0e}{fixed}{f' [{marks[0]}]' if marks else ''}"


@dataclass
class Row:
    """The results of one model."""

    name: str
    largest: float = 0.0
    cells: dict[str, Cell] = field(default_factory=dict)


def _place(notes: list[str], text: str) -> int:
    if text not in notes:
        notes.append(text)
    return notes.index(text) + 1


def feeds(spec: dummyio.InputSpec) -> Iterator[dict[str, Any]]:
    """Yield two inputs, at two sizes if any axis is dynamic."""
    plan = spec.probes()
    for sample, sizes in enumerate((plan[0], plan[min(1, len(plan) - 1)])):
        yield spec.feeds(sample=sample, **sizes)


def depends(reference: Any, spec: dummyio.InputSpec) -> float:
    """Return the largest value; raise if the model returns the same for other inputs, because agreement then proves nothing."""
    one, other = (reference(spec.feeds(sample=sample)) for sample in (0, 1))
    largest = max(float(np.abs(value).max()) for value in one.values() if value.dtype.kind == "f")
    apart = max(float(np.abs(one[name] - other[name]).max()) for name in one if one[name].dtype.kind == "f")
    if apart < 100 * TOLERANCE * largest:
        raise AssertionError(f"it returns the same for any input ({apart:.0e} apart): agreement proves nothing")
    return largest


def measure(name: str, folder: Path) -> Row:
    """Build, describe, export to each format, compare."""
    keras.utils.set_random_seed(0)
    made = CASES[name]()
    model, spec = made if isinstance(made, tuple) else (made, dummyio.describe(made))
    reference = dummyio.open_runner(model, spec)
    row = Row(name, depends(reference, spec))
    for route, (file, options) in ROUTES.items():
        plain = row.cells.get(".tflite")  # an axis that cannot be dynamic here cannot be dynamic if it is quantized
        found = plain if plain is not None and file.endswith(".tflite") else Cell(0.0)
        place = folder / route.strip(".") / file
        row.cells[route] = found if found.difference is None else attempt(model, spec, reference, place, options, found)
    return row


def attempt(
    model: Any, spec: dummyio.InputSpec, reference: Any, path: Path, options: dict[str, Any], known: Cell
) -> Cell:
    """Export with dynamic axes, else with all static but the batch, else with all static; begin with the first that may work."""
    reason = known.reason
    tries = (None, "all_but_batch", "all")
    for static in tries[tries.index(known.static or None) :]:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            artifact = dummyio.export(model, path, spec=spec, force=True, static=static, **options)
        except ExportError as error:
            reason = reason or shorten(str(error))
            continue
        runner = dummyio.open_runner(artifact.path, artifact.spec)
        worst = 0.0
        for values in feeds(artifact.spec):
            want, have = reference(values), runner(values)
            if list(want) != list(have):
                return Cell(reason=f"returns {', '.join(have)}")
            for key, value in want.items():
                worst = max(worst, float(np.abs(value.astype(np.float64) - have[key]).max()))
        return Cell(worst, static or "", reason)
    return Cell(reason=reason)


def measure_precisions(name: str, folder: Path) -> str:
    """Return the row of a model: its largest value, and for each precision the error and its ratio to that of the rounding."""
    keras.utils.set_random_seed(0)
    model = PRECISIONS[name]()
    cells, largest = [], 0.0
    for kind in QUANTIZED:
        try:
            artifact = dummyio.export(model, folder / kind / "model.tflite", quantize=kind)
        except ExportError:
            artifact = dummyio.export(model, folder / kind / "model.tflite", quantize=kind, static="batch_size")
        run, reference = dummyio.open_runner(artifact.path, artifact.spec), dummyio.open_runner(model, artifact.spec)
        worst = rounded = 0.0
        for sample in range(3):
            values = artifact.spec.feeds(sample=sample)
            want, have = reference(values), run(values)
            expected = reference.in_precision(values, artifact.spec.provenance["precision"])  # type: ignore[attr-defined]
            for key, value in want.items():
                largest = max(largest, float(np.abs(value).max()))
                worst = max(worst, float(np.abs(value - have[key]).max()))
                rounded = max(rounded, float(np.abs(value - expected[key]).max()))
        verdict = "" if dummyio.validate(artifact.path, model).ok else ", not valid"
        cells.append(f"{worst:.0e} ({worst / rounded:.2f}{verdict})")
    return f"| {name} | {largest:.2g} | {' | '.join(cells)} |"


def page_of_precisions(only: list[str]) -> str:
    """Measure the models, and write their table."""
    lines = [f"| model | largest value | {' | '.join(QUANTIZED)} |", f"|---|---:|{'---:|' * len(QUANTIZED)}"]
    for name in PRECISIONS:
        if any(part in name for part in only):
            with tempfile.TemporaryDirectory() as folder:
                for kind in QUANTIZED:
                    (Path(folder) / kind).mkdir()
                lines.append(measure_precisions(name, Path(folder)))
            print(lines[-1], flush=True)  # noqa: T201
    names = ("tensorflow", "ai-edge-quantizer", "ai-edge-litert")
    head = ", ".join(f"{name} {version(name)}" for name in names)
    return "\n".join([f"{len(lines) - 2} models; {head}:", "", *lines])


def shorten(text: str) -> str:
    """Return the part of an error that comes from the converter."""
    for end in (
        " A SavedModel and a .pb carry it",
        " With static=",
        " A size may have",
        " TFLite does not have them",
        " This is a defect",
    ):
        text = text.partition(end)[0]
    return " ".join(text.split())[:300].replace("|", "\\|").replace("<", "&lt;")


def page(rows: list[Row]) -> str:
    """Write the table and its notes."""
    notes: list[str] = []
    lines = [f"| model | largest value | {' | '.join(ROUTES)} |", f"|---|---:|{'---:|' * len(ROUTES)}"]
    for row in rows:
        cells = " | ".join(row.cells[route].text(notes) for route in ROUTES)
        lines.append(f"| {row.name} | {row.largest:.2g} | {cells} |")
    names = ("tensorflow", "keras", "keras-hub", "tf2onnx", "onnxruntime", "ai-edge-litert")
    head = ", ".join(f"{name} {version(name)}" for name in names)
    told = [f"{place}. {note}" for place, note in enumerate(notes, 1)]
    return "\n".join([f"{len(rows)} models; {head}:", "", *lines, "", *told])


def failures(rows: list[Row]) -> list[str]:
    """Return the results that differ by more than an exact format may."""
    return [
        f"{row.name} {route}: {row.cells[route].difference}"
        for row in rows
        for route in EXACT
        if (row.cells[route].difference or 0) > TOLERANCE * max(row.largest, 1)
    ]


def measured(name: str, kept: Path | None) -> Row:
    """Return the stored row, else measure and store it."""
    if kept is not None and kept.exists():
        for line in kept.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if entry["name"] == name:
                cells = {route: Cell(**cell) for route, cell in entry["cells"].items()}
                return Row(name, entry["largest"], cells)
    with tempfile.TemporaryDirectory() as folder:
        row = measure(name, Path(folder))
    print(row, flush=True)  # noqa: T201
    if kept is not None:
        with kept.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(row)) + "\n")
    return row


def main() -> int:
    """Measure all models, or the selected ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="parts of the names of models, by comma")
    parser.add_argument("--rows", type=Path, help="a file that keeps what was measured")
    parser.add_argument("--precisions", action="store_true", help="measure quantized TFLite files only")
    parser.add_argument("--programs", action="store_true", help="measure plain programs only")
    parser.add_argument("--models", action="store_true", help="measure Keras applications and backbones only")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.relative_to(ROOT)}")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    only = options.only.split(",") if options.only else [""]
    if options.precisions:
        text = page_of_precisions(only)
        if options.write:
            write_between(PAGE, text, "precisions")
        return 1 if "not valid" in text else 0
    for name, measure_table in {"programs": measure_programs, "models": measure_models}.items():
        if getattr(options, name):
            text = measure_table(only, options.rows)
            if options.write:
                write_between(PAGE, text, name)
            return 0
    rows = [row for name in CASES if any(part in name for part in only) for row in [measured(name, options.rows)]]
    text = page(rows)
    print(text)  # noqa: T201
    if options.write:
        write_between(PAGE, text)
    wrong = failures(rows)
    print("\n".join(wrong))  # noqa: T201
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
