"""Export tiny models with Optimum, once with its inputs and once with dummyio's, and count what Optimum itself finds sound.

Runs in an environment with optimum-onnx, without a network: ``nox -s optimum_drop_in``. A model passes if Optimum exports it with
dummyio's inputs, its own validation finds no difference, and no generator of Optimum was asked.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.append(str(Path(__file__).parents[1] / "models"))

import torch
import transformers
from optimum.exporters.onnx import onnx_export_from_model
from optimum.exporters.tasks import TasksManager
from optimum.utils.input_generators import DummyInputGenerator
from transformers_cases import build_model, list_cases

from dummyio.compat.optimum import installed

TASKS = (
    ("ForCausalLM", "text-generation-with-past"),
    ("LMHeadModel", "text-generation-with-past"),
    (
        "ForConditionalGeneration",
        "automatic-speech-recognition-with-past text2text-generation-with-past image-to-text-with-past",
    ),
    ("MTModel", "text2text-generation-with-past"),
    ("DecoderModel", "text2text-generation-with-past image-to-text-with-past"),
    ("ForSequenceClassification", "text-classification audio-classification"),
    ("ForTokenClassification", "token-classification"),
    ("ForQuestionAnswering", "question-answering"),
    ("ForMultipleChoice", "multiple-choice"),
    ("ForMaskedLM", "fill-mask"),
    ("ForImageClassification", "image-classification"),
    ("ForMaskedImageModeling", "masked-im"),
    ("ForSemanticSegmentation", "semantic-segmentation image-segmentation"),
    ("ForInstanceSegmentation", "image-segmentation"),
    ("ForObjectDetection", "object-detection zero-shot-object-detection"),
    ("ForDepthEstimation", "depth-estimation"),
    ("ForImageSuperResolution", "image-to-image"),
    ("ForCTC", "automatic-speech-recognition"),
    ("ForAudioFrameClassification", "audio-frame-classification"),
    ("ForXVector", "audio-xvector"),
    ("ForPrediction", "time-series-forecasting"),
    ("Model", "feature-extraction"),
)
"""The end of a class's name → tasks, of which that counts which Optimum has for the model type."""


class Warned(logging.Handler):
    """Collects Optimum's warnings: a difference of outputs is one of these, and no exception."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@contextmanager
def count_own() -> Iterator[list[str]]:
    """Count the random tensors of Optimum's own generators."""
    names = [name for name in vars(DummyInputGenerator) if name.startswith("random_")]
    saved, asked = {name: vars(DummyInputGenerator)[name] for name in names}, []

    def counted(name: str) -> staticmethod:
        return staticmethod(lambda *given, **more: (asked.append(name), saved[name].__func__(*given, **more))[1])

    for name in names:
        setattr(DummyInputGenerator, name, counted(name))
    try:
        yield asked
    finally:
        for name in names:
            setattr(DummyInputGenerator, name, saved[name])


def find_task(cls: Any) -> str | None:
    """Return the task of a class; None if Optimum has no such task for the model type, or no such model type."""
    words = next((words for end, words in TASKS if cls.__name__.endswith(end)), "")
    try:
        known = TasksManager.get_supported_tasks_for_model_type(
            cls.config_class.model_type, "onnx", library_name="transformers"
        )
    except KeyError:
        return None
    return next((task for task in words.split() if task in known), None)


def export(name: str, task: str, *, ours: bool) -> dict[str, Any]:
    """Return what became of an export: files, warnings, the error."""
    warned = Warned()
    logger = logging.getLogger("optimum.exporters.onnx.convert")
    logger.addHandler(warned)
    try:
        model = build_model(name, scale=0.5, embeddings=0.2)
        with tempfile.TemporaryDirectory() as folder, count_own() as asked, installed() if ours else nullcontext():
            onnx_export_from_model(model, folder, task=task, do_validation=True)
            files = sorted(file.name for file in Path(folder).glob("*.onnx"))
    except Exception as error:  # noqa: BLE001 - any failure of an export is a result
        return {"ok": False, "error": f"{type(error).__name__}: {error}"[:300]}
    finally:
        logger.removeHandler(warned)
    differs = [text[:300] for text in warned.texts if "succeeded with the warning" in text]
    return {"ok": not differs and not (ours and asked), "files": files, "differs": differs, "asked": sorted({*asked})}


def main() -> int:
    """Export each class, print a line for each, and fail if fewer than the wanted number of architectures pass."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="classes, with commas between")
    parser.add_argument("--least", type=int, default=40, help="how many architectures must pass")
    parser.add_argument("--seconds", type=float, default=3600, help="start no further export after this time")
    parser.add_argument("--write", type=Path, help="a file for the results, as JSON")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    chosen = options.only.split(",") if options.only else list_cases()
    results: dict[str, Any] = {}
    types: set[str] = set()
    start = time.monotonic()
    for name in chosen:
        cls = getattr(transformers, name, None)
        task = find_task(cls) if cls is not None else None
        if task is None or (not options.only and cls.config_class.model_type in types):
            continue
        if time.monotonic() - start > options.seconds:
            break
        found = export(name, task, ours=True)
        if not found["ok"]:
            found["optimum"] = export(name, task, ours=False)
        else:
            types.add(cls.config_class.model_type)
        results[name] = {"task": task, **found}
        print(name, task, "passed" if found["ok"] else json.dumps(found), flush=True)  # noqa: T201
    print(f"{len(types)} architectures pass, {sum(each['ok'] for each in results.values())} of {len(results)} exports")  # noqa: T201
    if options.write:
        options.write.write_text(json.dumps(results, indent=1), encoding="utf-8")
    return 0 if options.only or len(types) >= options.least else 1


if __name__ == "__main__":
    sys.exit(main())
