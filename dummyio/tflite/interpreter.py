"""LiteRT's interpreter of a file, and what it declares: signatures with named tensors."""

import contextlib
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from dummyio.process_state import drop_native_output, silence_thread
from dummyio.tflite.check_numbers import check_numbers
from dummyio.tflite.read_model import import_litert, read_model, refuse_damage
from dummyio.typing import Axes

Details = Mapping[str, Any]
"""LiteRT's description of one tensor."""

UNNAMED = ""
"""The name of the signature of a file that has none."""


def open_interpreter(path: Path) -> Any:
    """Return LiteRT's interpreter of a file.

    Raises
    ------
    SourceError
        if LiteRT does not read the file.
    NotInstalledError
        without LiteRT.
    """
    litert = import_litert()
    with refuse_damage(path), silence_litert():
        check_numbers(path, read_model(path))
        return litert.interpreter.Interpreter(model_path=str(path))


@contextlib.contextmanager
def silence_litert() -> Generator[None]:
    """Hide what LiteRT prints past Python in the whole process, and prints and warnings of this thread."""
    with drop_native_output(), silence_thread(streams=("stdout", "stderr")):
        yield


def list_signatures(interpreter: Any) -> tuple[dict[str, dict[str, Details]], dict[str, dict[str, Details]]]:
    """Return signature → name → details, of inputs and of outputs, the usual signature first."""
    order = sorted(interpreter.get_signature_list(), key=lambda name: name != "serving_default")
    if not order:
        sides = (interpreter.get_input_details(), interpreter.get_output_details())
        inputs, outputs = ({UNNAMED: {one["name"]: one for one in side}} for side in sides)
        return inputs, outputs
    runners = {name: interpreter.get_signature_runner(name) for name in order}
    return (
        {name: dict(runner.get_input_details()) for name, runner in runners.items()},
        {name: dict(runner.get_output_details()) for name, runner in runners.items()},
    )


def declared_axes(details: Details) -> Axes:
    """Return a tensor's sizes; None for dynamic ones."""
    sizes = details["shape_signature"] if len(details["shape_signature"]) else details["shape"]
    return tuple(None if size < 0 else int(size) for size in sizes)
