"""The shapes of the states that a model's layers keep, from the class that stores them and the configuration.

A layer stores its states in the cache by ``update_conv_state`` and ``update_recurrent_state``. The ``__init__`` of its class
states the kernel of its convolution, and names the sizes of its recurrence:

- heads, sizes of keys and of values (``num_v_heads``, ``head_k_dim``, ``head_v_dim``): a matrix of keys by values per head
- heads of a size (``num_heads``, ``head_dim``): a matrix of that size by the size of the state (``ssm_state_size``), else
  by the head's own size
- no heads: as many states (``ssm_state_size``) for each channel (``intermediate_size``)
"""

from collections.abc import Mapping
from typing import Any

from dummyio.errors import SourceError
from dummyio.generators.base.model_facts import LayerState
from dummyio.huggingface.config.computed_attributes import attribute_of
from dummyio.huggingface.source.evaluator import Evaluator, Expression, UnknownValueError, attributes_of
from dummyio.huggingface.source.functions import (
    ClassTree,
    call_argument,
    find_calls,
    find_classes_with,
    method_of,
    takes_argument,
)
from dummyio.model_config.layer_geometry import has_recurrent_layers
from dummyio.model_config.normalized_config import NormalizedConfig

_CONV, _RECURRENT = "update_conv_state", "update_recurrent_state"
_HEADS = ("num_v_heads", "num_heads", "n_heads", "num_mamba_heads", "n_mamba_heads", "mamba_num_heads")
_HEAD_SIZES = ("head_dim", "mamba_head_dim")
_WITHOUT = "Describe the model without its past (a task without '-with-past')."


def read_layer_state(config: NormalizedConfig, code: Mapping[str, str]) -> LayerState | None:
    """Return the state that layers of a recurrence or a convolution keep; None without such layers. Raises `SourceError` if it is not stated."""
    decoder = config.part("decoder")
    if not has_recurrent_layers(decoder):
        return None
    texts = (code[role] for role in ("decoder", "text", "model") if role in code)
    keeper = next((found for text in texts if (found := find_classes_with(text, f".{_CONV}(", f".{_RECURRENT}("))), ())
    if len(keeper) != 1:
        reason = "no class" if not keeper else "more than one class"
        raise SourceError(
            f"layers of the configuration keep a state that is not keys and values, and {reason} of its source text stores such "
            f"states in a cache: their shapes are not known. {_WITHOUT}"
        )
    return _states(keeper[0], decoder)


def _states(keeper: ClassTree, decoder: NormalizedConfig) -> LayerState:
    kind = decoder.raw("model_type")

    def read(name: str) -> Any:
        return attribute_of(kind, decoder.raw, name) if isinstance(kind, str) else decoder.raw(name)

    evaluator, init = Evaluator(attribute=attributes_of(read, "config", "self.config")), method_of(keeper, "__init__")
    try:
        if init is None or not takes_argument(init, "config"):
            raise UnknownValueError("it does not take the configuration")
        evaluator.run(init.body)
        conv = _conv(keeper, evaluator) if find_calls(keeper, _CONV) else None
        return LayerState(conv, _recurrent(evaluator) if find_calls(keeper, _RECURRENT) else None)
    except UnknownValueError as error:
        raise SourceError(
            f"layers of the configuration keep a state that is not keys and values, whose shape {keeper.name} does not state "
            f"({error}). {_WITHOUT}"
        ) from error


def _conv(keeper: ClassTree, evaluator: Evaluator) -> tuple[int, int]:
    """Return channels and positions of the state of a convolution."""
    stored, layers = find_calls(keeper, _CONV), find_calls(keeper, "Conv1d")
    places = [place for call in stored if (place := call_argument(call, "state_idx"))]
    if any(evaluator.value(place) != 0 for place in places):
        raise UnknownValueError("it keeps more than one state of a convolution")
    if len(layers) != 1:
        raise UnknownValueError(f"it has {len(layers)} convolutions")
    kernel = next((size for call in stored if (size := call_argument(call, "conv_kernel_size"))), None)
    sizes: dict[str, Expression | None] = {
        "in_channels": call_argument(layers[0], "in_channels", 0),
        "kernel_size": kernel or call_argument(layers[0], "kernel_size", 2),
    }
    for name, size in sizes.items():
        if size is None:
            raise UnknownValueError(f"its convolution has no {name}")
    channels, positions = (_size(evaluator.value(size), name) for name, size in sizes.items() if size)
    return channels, positions


def _recurrent(evaluator: Evaluator) -> tuple[int, ...]:
    """Return the sizes of the state of a recurrence."""
    heads, keys, values = (_known(evaluator, *names) for names in (_HEADS, ("head_k_dim",), ("head_v_dim",)))
    if heads and keys and values:
        return heads, keys, values
    size, state = _known(evaluator, *_HEAD_SIZES), _known(evaluator, "ssm_state_size")
    if heads and size and not keys and not values:
        return heads, size, state or size
    channels = _known(evaluator, "intermediate_size")
    if channels and state and not heads and not size:
        return channels, state
    raise UnknownValueError("it does not name the sizes of its recurrence")


def _known(evaluator: Evaluator, *names: str) -> int | None:
    """Return the first of these attributes of a layer that is a size."""
    values = (evaluator.names.get(f"self.{name}") for name in names)
    return next((_size(value, "size") for value in values if value is not None), None)


def _size(value: object, name: str) -> int:
    """Return a value that must be a size; a kernel may stand in a list of one."""
    if isinstance(value, (list, tuple)) and len(value) == 1:
        (value,) = value
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UnknownValueError(f"its {name} is {value!r}")
    return value
