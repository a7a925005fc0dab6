"""Keras applications: all of them, with free sizes of images and without their heads; one of each module with its head."""

from collections.abc import Mapping
from typing import Any

import keras
from score import Case

TITLE = "Keras applications"
PACKAGES = ("keras", "tensorflow")
PORTION, THREADS = 4, True
_HEAD = ", with its head"


def list_names() -> list[str]:
    """Return all applications: first one of each module, with its head."""
    names = [name for name in dir(keras.applications) if name[0].isupper()]
    modules = {getattr(keras.applications, name).__module__: name for name in reversed(names)}
    return [*(f"{name}{_HEAD}" for name in sorted(modules.values())), *names]


def build(name: str) -> Case:
    """Return an application with random weights."""
    make = getattr(keras.applications, name.removesuffix(_HEAD))
    if name.endswith(_HEAD):
        model = make(weights=None, classes=10)
    else:
        model = make(weights=None, include_top=False, input_shape=(None, None, 3))
    return Case(model, {name_input(model): "float[batch_size, height, width, num_channels]"}, "tf", _call)


def name_input(model: Any) -> str:
    """Return the name of a model's only input; one that Keras has only counted is called `inputs`."""
    name = str(model.inputs[0].name)
    return "inputs" if name.startswith(("keras_tensor", "input_layer")) else name


def _call(model: Any, made: Mapping[str, Any]) -> None:
    model(next(iter(made.values())))
