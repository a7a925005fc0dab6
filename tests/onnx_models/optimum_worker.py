"""Runs in an environment with Optimum and without dummyio: loads folders in Optimum's classes, and exports folders with Optimum.

    python optimum_worker.py jobs.json

Each job is a dict: ``{"kind": "load", "class": ..., "folder": ..., "feeds": file.npz, "generate": {...} or null}`` writes
``found.npz`` into the folder's parent; ``{"kind": "export", "class": ..., "task": ..., "folder": ..., "options": {...}, "shapes":
{...}, "generate": {...} or null}`` exports a random model, and writes the feeds and outputs of the model itself into ``feeds.npz`` and
``expected.npz`` there. The last line of the output has for each job an empty string, or its error.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.append(str(Path(__file__).parents[1] / "models"))

import numpy as np
import torch


def to_arrays(outputs: Any) -> dict[str, np.ndarray]:
    """Return the tensors of an output; nested ones, such as caches, are left out."""
    if isinstance(outputs, torch.Tensor):
        return {"sequences": outputs.numpy()}
    return {name: value.detach().numpy() for name, value in outputs.items() if isinstance(value, torch.Tensor)}


def run(model: Any, feeds: dict[str, torch.Tensor], generate: dict[str, Any] | None) -> dict[str, np.ndarray]:
    """Return the outputs of a model, or the tokens that it generates."""
    with torch.no_grad():
        return to_arrays(model(**feeds) if generate is None else model.generate(**feeds, **generate))


def load(job: dict[str, Any]) -> None:
    """Run a folder in a class of Optimum."""
    import optimum.onnxruntime as ort

    model = getattr(ort, job["class"]).from_pretrained(job["folder"], **job.get("options", {}))
    feeds = {name: torch.from_numpy(values) for name, values in np.load(job["feeds"]).items()}
    np.savez(Path(job["folder"]).parent / "found.npz", **run(model, feeds, job["generate"]))


def export(job: dict[str, Any]) -> None:
    """Export a random model with Optimum, and run the model itself."""
    import transformers_cases
    from optimum.exporters.onnx import onnx_export_from_model

    model = transformers_cases.build_model(job["class"])
    feeds = {name: torch.from_numpy(values) for name, values in np.load(job["feeds"]).items()}
    expected = run(model, feeds, job["generate"])
    if job["generate"] is not None and len(set(expected["sequences"].flatten().tolist())) < 4:
        raise ValueError("the tokens are all alike: choose another seed")
    np.savez(Path(job["folder"]).parent / "expected.npz", **expected)
    onnx_export_from_model(model, job["folder"], task=job["task"], do_validation=False, **job["options"])


def main(file: str) -> None:
    """Run all jobs."""
    import transformers

    transformers.logging.set_verbosity_error()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    results = {}
    for name, job in json.loads(Path(file).read_text()).items():
        try:
            {"load": load, "export": export}[job["kind"]](job)
            results[name] = ""
        except Exception:  # noqa: BLE001 - the test shows it
            results[name] = traceback.format_exc()
    print(json.dumps(results))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
