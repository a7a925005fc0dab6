"""Runs a TFLite file in a process of its own; see `dummyio.sources.proof.processes.worker_process`.

It imports LiteRT alone, which is quick. LiteRT's operators do not check all that they are given, and may end the process.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dummyio.sources.proof.processes.serve_runs import serve_runs


def open_interpreter(settings: dict[str, Any], data: bytes) -> Callable[[Mapping[str, Any]], object]:
    """Return the function of a file: of a signature, or of its inputs if it has none."""
    from ai_edge_litert.interpreter import Interpreter  # lazy: an optional package

    del data
    interpreter = Interpreter(model_path=settings["path"], num_threads=1)
    signature = settings["signature"]
    if signature:
        runner = interpreter.get_signature_runner(signature)
        return lambda feeds: runner(**{name: _encode_texts(values) for name, values in feeds.items()})
    places, results = (
        {str(one["name"]): one["index"] for one in side}
        for side in (interpreter.get_input_details(), interpreter.get_output_details())
    )

    def run(feeds: Mapping[str, Any]) -> dict[str, Any]:
        for name, values in feeds.items():
            interpreter.resize_tensor_input(places[name], values.shape, strict=True)
        interpreter.allocate_tensors()
        for name, values in feeds.items():
            interpreter.set_tensor(places[name], _encode_texts(values))
        interpreter.invoke()
        return {name: interpreter.get_tensor(place) for name, place in results.items()}

    return run


def _encode_texts(values: Any) -> Any:
    if values.dtype.kind != "O":
        return values
    return np.array([text.encode("utf-8", "surrogateescape") for text in values.flat], object).reshape(values.shape)


if __name__ == "__main__":
    serve_runs(open_interpreter)
