"""The tables of TensorFlow and Keras programs, and of Keras models, with the routes that carry each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
from keras_models import MODELS
from keras_programs import PROGRAMS as KERAS
from route_table import ROUTES, Found, build_table, measure_routes, measure_rows
from tensorflow_programs import PROGRAMS as PLAIN

import dummyio
from dummyio.errors import DummyioError

PROGRAMS = {**PLAIN, **KERAS}


def measure_program(build: Callable[[], Any], folder: Path) -> Found:
    """Return what a program's description and each route came to: "yes", "yes" and the sizes that were made static, or an error."""
    keras.utils.set_random_seed(0)
    made = build()
    model, options = made if isinstance(made, tuple) else (made, {})
    try:
        spec = dummyio.describe(model, **options)
    except DummyioError as error:
        return dict.fromkeys(("described", "run", *ROUTES), str(error))
    routes = measure_routes(lambda path, static: attempt(model, options, path, static), folder)
    return {"described": "yes", "run": run_twice(model, spec), **routes}


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


def measure_programs(only: list[str], kept: Path | None) -> str:
    """Return the table of the selected plain programs; what a file has already is not measured again."""
    return _measure(PROGRAMS, "program", ("tensorflow", "keras", "tf2onnx", "ai-edge-litert"), only, kept)


def measure_models(only: list[str], kept: Path | None) -> str:
    """Return the table of the selected Keras models; what a file has already is not measured again."""
    return _measure(MODELS, "model", ("tensorflow", "keras", "keras-hub", "tf2onnx", "ai-edge-litert"), only, kept)


def _measure(
    programs: Mapping[str, Callable[[], Any]], what: str, packages: tuple[str, ...], only: list[str], kept: Path | None
) -> str:
    rows = measure_rows(programs, only, kept, lambda name, folder: measure_program(programs[name], folder))
    used = ", ".join(f"{name} {version(name)}" for name in packages)
    return build_table(rows, what, ("described", "run", *ROUTES), f"{{rows}} {what}s ({{counts}}); {used}:")
