"""The table of plain TensorFlow and Keras programs, and the routes that carry each."""

from __future__ import annotations

import json
import re
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
from keras_programs import PROGRAMS as KERAS
from tensorflow_programs import PROGRAMS as PLAIN

import dummyio
from dummyio.errors import DummyioError

PROGRAMS = {**PLAIN, **KERAS}
ROUTES = {"SavedModel": "saved_model", ".pb": "model.pb", ".tflite": "model.tflite", ".onnx": "model.onnx"}
Found = dict[str, str]


def measure_program(name: str, folder: Path) -> Found:
    """Return what a program's description and each route came to: "yes", "yes" and the sizes that were made static, or an error."""
    keras.utils.set_random_seed(0)
    made = PROGRAMS[name]()
    model, options = made if isinstance(made, tuple) else (made, {})
    try:
        spec = dummyio.describe(model, **options)
    except DummyioError as error:
        return dict.fromkeys(("described", "run", *ROUTES), str(error))
    found = {"described": "yes", "run": run_twice(model, spec)}
    for route, file in ROUTES.items():
        (folder / route).mkdir()
        found[route] = attempt(model, options, folder / route / file, None)
        for static in ("batch_size", "all_but_batch", "all"):
            named = f"static={static!r}" in found[route]
            if named and attempt(model, options, folder / route / file, static) == "yes":
                found[route] = f"yes, static={static!r}"
                break
    return found


def run_twice(model: Any, spec: dummyio.InputSpec) -> str:
    """Return "yes" if the model takes the smallest and other sizes of the spec, else the error."""
    plan = spec.probes()
    try:
        runner = dummyio.open_runner(model, spec)
        for sample, sizes in enumerate((plan[0], plan[-1])):
            runner(spec.feeds(sample=sample, **sizes))
    except DummyioError as error:
        return str(error)
    return "yes"


def attempt(model: Any, options: dict[str, Any], path: Path, static: str | None) -> str:
    """Return "yes" if a program is written and its file is valid, else the reason."""
    try:
        artifact = dummyio.export(model, path, static=static, force=True, **options)
        report = dummyio.validate(artifact.path, model)
    except DummyioError as error:
        return str(error)
    return "yes" if report.ok else f"wrong: {report.findings[0].message}"


def build_table(rows: dict[str, Found]) -> str:
    """Return the table, and below it the reasons."""
    reasons: list[str] = []
    columns = ("described", "run", *ROUTES)
    lines = [f"| program | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for name, found in rows.items():
        cells = []
        for text in found.values():
            if not text.startswith("yes") and (short := shorten(text)) not in reasons:
                reasons.append(short)
            cells.append(text if text.startswith("yes") else f"no [{reasons.index(shorten(text)) + 1}]")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    counts = ", ".join(f"{name} {sum(row[name].startswith('yes') for row in rows.values())}" for name in columns)
    used = ", ".join(f"{name} {version(name)}" for name in ("tensorflow", "keras", "tf2onnx", "ai-edge-litert"))
    told = [f"{place}. {reason}" for place, reason in enumerate(reasons, 1)]
    return "\n".join([f"{len(rows)} programs ({counts}); {used}:", "", *lines, "", *told])


def shorten(text: str) -> str:
    """Return an error on one line, without the lines of the programs' files."""
    text = re.sub(r" \(\w+_programs\.py:\d+[^)]*\)", "", " ".join(text.split()))
    return text[:400].replace("|", "\\|").replace("<", "&lt;")


def measure_programs(only: list[str], kept: Path | None) -> dict[str, Found]:
    """Measure the selected programs; what a file has already is not measured again."""
    known: dict[str, Found] = {}
    if kept is not None and kept.exists():
        known = dict(json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines())
    rows = {}
    for name in PROGRAMS:
        if name in known:
            rows[name] = known[name]
        elif any(part in name for part in only):
            with tempfile.TemporaryDirectory() as folder:
                rows[name] = measure_program(name, Path(folder))
            if kept is not None:
                with kept.open("a", encoding="utf-8") as stream:
                    stream.write(f"{json.dumps([name, rows[name]])}\n")
            print(name, *(f"\n  {part}: {text}" for part, text in rows[name].items()), flush=True)  # noqa: T201
    return rows
