"""The cache of a decoder: values that stay with the runtime from one step to the next."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from dummyio.errors import OptionError
from dummyio.model_config.attribute_types import shorten_value
from dummyio.option_types import convert_option
from dummyio.typing import Array
from dummyio_onnx import tensors
from dummyio_onnx.dtypes import from_native
from dummyio_onnx.models.array_kinds import Value, copy_to_value, is_tensor, to_array, to_result, wrap_value


def is_cross(path: str) -> bool:
    """Whether a tensor of the cache is of the attention to an encoder, which no step changes."""
    return ".encoder." in path


class OnnxCache:
    """The past of a decoder: one value of the runtime for each tensor of the cache.

    A step returns a new one, whose values are the step's own results; the former one stays as it is.

    Parameters
    ----------
    paths
        The name of each tensor behind ``past_key_values.``: ``0.key``, ``0.decoder.key``.
    values
        The values of the runtime, in the same order.
    length
        The number of tokens that are in it, or were and have left a window.
    axes
        The axis of the rows, and the one that grows, of each tensor; None for one that does not grow.
    """

    is_compileable = False
    is_croppable = True
    is_sliding = (False,)

    __slots__ = ("_is_user_defined", "axes", "length", "paths", "values")

    def __init__(
        self, paths: tuple[str, ...], values: Sequence[Value], length: int, axes: tuple[tuple[int, int | None], ...]
    ) -> None:
        self.paths = paths
        self.values = values
        self.length = length
        self.axes = axes
        self._is_user_defined = False

    def __len__(self) -> int:
        """Return the number of layers."""
        return len({path.partition(".")[0] for path in self.paths})

    def __bool__(self) -> bool:
        return bool(self.values)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.to_legacy())

    def __getitem__(self, layer: int) -> tuple[Any, ...]:
        layers = self.to_legacy()
        try:
            return layers[layer]
        except (IndexError, TypeError):
            raise OptionError(
                f"cache[{shorten_value(layer)}]: it has {len(layers)} layers. Give the number of one, below that."
            ) from None

    def __deepcopy__(self, memo: object) -> "OnnxCache":
        """Return a cache of the same values: no run writes on them."""
        return OnnxCache(self.paths, self.values, self.length, self.axes)

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Return the number of tokens that were fed so far."""
        del layer_idx
        return self.length

    def get_max_cache_shape(self) -> int:
        """Return -1: the cache grows."""
        return -1

    @property
    def batch_size(self) -> int:
        """The number of rows."""
        return int(self.values[0].shape()[self.axes[0][0]]) if self.values else 0

    def to_numpy(self) -> dict[str, Array]:
        """Return path → a copy of the tensor."""
        return {
            f"past_key_values.{path}": tensors.to_numpy(wrap_value(value))
            for path, value in zip(self.paths, self.values, strict=True)
        }

    def to_legacy(self) -> tuple[tuple[Array, ...], ...]:
        """Return a tuple of arrays for each layer, as Transformers had it before its cache classes."""
        layers: dict[str, list[Array]] = {}
        for path, value in zip(self.paths, self.values, strict=True):
            layers.setdefault(path.partition(".")[0], []).append(tensors.to_numpy(wrap_value(value)))
        return tuple(map(tuple, layers.values()))

    def reorder(self, rows: Any) -> "OnnxCache":
        """Return the cache of chosen rows, in that order: those of the beams that go on.

        Parameters
        ----------
        rows
            The index of a row for each row of the result, as an array, a tensor or a list.
        """
        try:
            chosen: Array = np.asarray(to_array(rows, "rows") if is_tensor(rows) else rows)
        except ValueError:  # lists of different lengths
            chosen = np.zeros(())
        count = self.batch_size
        whole = chosen.ndim == 1 and chosen.dtype.kind in "iu"
        if not whole or (chosen.size and not 0 <= chosen.min() <= chosen.max() < count):
            raise OptionError(
                f"reorder({shorten_value(rows)}): give the index of a row for each row of the result, whole numbers below {count}."
            )
        return self._change(lambda array, axis, _: np.take(array, chosen, axis))

    def crop(self, length: int) -> "OnnxCache":
        """Return the cache of the first `length` tokens; a negative number is how many are left out at the end.

        Raises
        ------
        OptionError
            if the cache has fewer tokens, or states that do not grow, from which no token can be taken away.
        """
        length = convert_option("length", length, int)
        wanted = length if length >= 0 else self.length + length
        if wanted == self.length:
            return self
        if not 0 <= wanted <= self.length:
            raise OptionError(f"crop({length}): the cache has {self.length} tokens. Give a number between 0 and that.")
        growing = [
            int(value.shape()[axis])
            for path, value, (_, axis) in zip(self.paths, self.values, self.axes, strict=True)
            if axis is not None and not is_cross(path)
        ]
        if any(size != self.length for size in growing) or any(
            axis is None and not is_cross(path) for path, (_, axis) in zip(self.paths, self.axes, strict=True)
        ):
            raise OptionError(
                f"crop({length}): the cache has states or windows, from which no token can be taken away. Keep the cache of "
                "the step before."
            )
        found = self._change(lambda array, _, axis: _take_first(array, wanted, axis), own=True)
        found.length = wanted
        return found

    def _change(self, change: Callable[[Array, int, int | None], Array], *, own: bool = False) -> "OnnxCache":
        """Return a cache of changed tensors: `change` gets a tensor, the axis of its rows and the one that grows."""
        values = []
        for path, value, (batch, growth) in zip(self.paths, self.values, self.axes, strict=True):
            if own and is_cross(path):
                values.append(value)
                continue
            changed = change(_view(value), batch, growth)
            values.append(copy_to_value(changed, from_native(value.element_type())))
        return OnnxCache(self.paths, values, self.length, self.axes)


def _view(value: Value) -> Array:
    """Return a value as an array: on its own memory if the CPU has it."""
    found: Array = to_result(value, "np") if value.device_name() == "cpu" else tensors.to_numpy(wrap_value(value))
    return found


def _take_first(array: Array, count: int, axis: int | None) -> Array:
    return array if axis is None else array[(*(slice(None) for _ in range(axis)), slice(count))]
