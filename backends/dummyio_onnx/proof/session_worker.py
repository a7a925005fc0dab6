"""Runs an ONNX model in a process of its own; see `dummyio.sources.proof.processes.worker_process`.

It imports ONNX Runtime alone, which is quick. Nothing is optimized: a small file opens sooner, and no constant part of its graph is
computed before a run asks for it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import onnxruntime as ort

from dummyio.backend.list_feeds import gather_lists
from dummyio.sources.proof.processes.serve_runs import serve_runs


def open_session(settings: dict[str, Any], data: bytes) -> Callable[[Mapping[str, Any]], object]:
    """Return the function of a model: of the file at a path, or of bytes."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_mem_pattern = False
    options.enable_mem_reuse = False  # the plan for it takes the square of the nodes: 13 s for 5,000
    for library in settings.get("libraries", ()):
        options.register_custom_ops_library(library)
    source = settings["path"] or data
    session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    names = [value.name for value in session.get_inputs()]
    return lambda feeds: session.run(None, gather_lists(feeds, names))


if __name__ == "__main__":
    serve_runs(open_session)
