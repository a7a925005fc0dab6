"""Sound exports made by Optimum, in an environment of its own: ``DUMMYIO_OPTIMUM_PYTHON`` names its Python."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from dummyio import InputSpec
from planted.bases import base
from planted.sound import Sound

_EXPORT = """
import sys
from optimum.exporters.onnx import main_export
source, target, task = sys.argv[1:]
main_export(source, target, task=task, do_validation=False)
"""
_TASKS = {
    "bert": "question-answering",
    "distilbert": "text-classification",
    "vit": "image-classification",
    "wav2vec2": "automatic-speech-recognition",
    "gpt2": "text-generation-with-past",
    "llama": "text-generation-with-past",
    "mistral": "text-generation",
}
"""The models that Optimum writes as one file, with its tasks."""


def sounds() -> Iterator[Sound]:
    """Yield each model, where there is a Python with Optimum."""
    python = os.environ.get("DUMMYIO_OPTIMUM_PYTHON")
    for name, task in _TASKS.items() if python else ():
        yield Sound(name, f"Optimum → ONNX, {task}", partial(_export, python=python, name=name, task=task))


def _export(folder: Path, python: str, name: str, task: str) -> tuple[Path, Any, InputSpec | None]:
    """Write with Optimum; no spec is given, as for any file from elsewhere."""
    module = base(name).module
    module.save_pretrained(folder / "model")
    command = [python, "-c", _EXPORT, str(folder / "model"), str(folder / "written"), task]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    return folder / "written" / "model.onnx", module, None
