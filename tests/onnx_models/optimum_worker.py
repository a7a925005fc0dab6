"""Runs in an environment with Optimum and without dummyio: runs folders in Optimum's classes, and exports folders with Optimum.

Each line of the standard input is a job as JSON, each line of the output its error or an empty line. A job has the names of files:

- ``load``: run ``feeds`` in Optimum's class ``class`` from ``folder``, and write the outputs, or the tokens if it has ``generate``
- ``export``: export a random model of Transformers' class ``class`` with Optimum to ``folder``, and write the model's own outputs; of
  the feeds those are kept that Optimum's file takes
"""

from __future__ import annotations

import json
import os
import sys
import traceback
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.append(str(Path(__file__).parents[1] / "models"))

import numpy as np
import torch


def to_arrays(outputs: Any) -> dict[str, np.ndarray]:
    """Return the tensors of an output; nested ones, such as caches, are left out."""
    if isinstance(outputs, torch.Tensor):
        return {"tokens": outputs.numpy()}
    return {name: value.detach().numpy() for name, value in outputs.items() if isinstance(value, torch.Tensor)}


def run(model: Any, job: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the outputs of a model, or the tokens that it generates."""
    feeds = {name: torch.from_numpy(values) for name, values in np.load(job["feeds"]).items()}
    with torch.no_grad():
        return to_arrays(model.generate(**feeds, **job["generate"]) if "generate" in job else model(**feeds))


def load(job: dict[str, Any]) -> None:
    """Run a folder in a class of Optimum."""
    import optimum.onnxruntime as ort

    model = getattr(ort, job["class"]).from_pretrained(job["folder"], **job.get("options", {}))
    np.savez(job["outputs"], **run(model, job))


def export(job: dict[str, Any]) -> None:
    """Run a random model, and export it with Optimum."""
    from onnxruntime import InferenceSession
    from optimum.exporters.onnx import onnx_export_from_model
    from transformers_cases import build_generator, build_model

    feeds = {name: torch.from_numpy(values) for name, values in np.load(job["feeds"]).items()}
    changes = job.get("changes")
    if "generate" in job:
        model, _ = build_generator(job["class"], feeds, job["generate"], changes)
    else:
        model = build_model(job["class"], changes=changes)
    model.config.architectures = [job["class"]]
    expected = run(model, job) if "generate" in job else {}
    if "eos_token_id" in job:  # Optimum's dummy inputs must have one
        model.config.eos_token_id = job["eos_token_id"]
    options = dict(job["options"])
    if "patch_size" in job:  # Optimum reads it from a processor
        size = {"height": job["patch_size"], "width": job["patch_size"]}
        processor = SimpleNamespace(image_processor=SimpleNamespace(patch_size=size, max_patches=64))
        options["preprocessors"] = [None, processor]
    onnx_export_from_model(model, job["folder"], task=job["task"], do_validation=False, **options)
    if not expected:
        taken = {given.name for given in InferenceSession(Path(job["folder"]) / "model.onnx").get_inputs()}
        np.savez(job["feeds"], **{name: values.numpy() for name, values in feeds.items() if name in taken})
        expected = run(model, job)
    np.savez(job["outputs"], **expected)


def main() -> None:
    """Do the jobs."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever libraries print is not an answer
    import transformers

    transformers.logging.set_verbosity_error()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for line in sys.stdin:
        job = json.loads(line)
        try:
            {"load": load, "export": export}[job["kind"]](job)
            error = ""
        except Exception:  # noqa: BLE001 - the test shows it
            error = traceback.format_exc()
        print(json.dumps(error), file=answers)


if __name__ == "__main__":
    main()
