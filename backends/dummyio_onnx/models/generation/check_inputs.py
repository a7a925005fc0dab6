"""The inputs of generation: Transformers and the loop read their sizes before a graph would refuse them."""

from collections.abc import Mapping
from typing import Any

from dummyio.errors import DTypeError, OptionError, RunError
from dummyio.model_config.attribute_types import shorten_value
from dummyio_onnx.models.array_kinds import get_shape, is_tensor, to_array
from dummyio_onnx.models.flows import CACHE, STATES


def check_inputs(given: Mapping[str, Any]) -> None:
    """Raise an error of ours if an input is not a tensor, or ids are not rows of at least one whole number.

    Raises
    ------
    DTypeError
        if an input is of another kind than it must be.
    RunError
        if ids have another shape.
    """
    for name, value in given.items():
        if value is None or name in (CACHE, STATES):
            continue
        if not is_tensor(value):
            raise DTypeError(f"{name} is a {type(value).__name__}: give a NumPy array or a tensor of PyTorch.")
        if not name.endswith("input_ids"):
            continue
        array = to_array(value, name)
        shape = get_shape(array)
        if getattr(array, "dtype", None) is not None and array.dtype.kind not in "iu":
            raise DTypeError(f"{name} is {array.dtype}: ids of tokens are whole numbers. Give those of a tokenizer.")
        if len(shape) != 2 or not shape[1]:
            raise RunError(
                f"{name} has the shape {tuple(shape)}: generation goes on from rows of at least one token, (batch, tokens). Give "
                "such a tensor: one row is array[None]."
            )


def check_streamer(streamer: Any) -> None:
    """Raise `OptionError` if an object does not take tokens as a streamer of Transformers does."""
    if streamer is not None and not callable(getattr(streamer, "put", None)):
        raise OptionError(
            f"streamer={shorten_value(streamer)}: give an object with a method put, such as a TextStreamer."
        )
