"""The shapes of the states that a model's layers keep, from the class that stores them and the configuration.

A layer hands its states to the cache by ``update_conv_state`` and ``update_recurrent_state``. The class that does so says
in its ``__init__`` how wide its convolution is, and names the sizes of its recurrence:

- heads, sizes of keys and of values (``num_v_heads``, ``head_k_dim``, ``head_v_dim``): a matrix of keys by values per head
- heads of a size (``num_heads``, ``head_dim``): a matrix of that size by the size of the state (``ssm_state_size``), else
  by the head's own size
- no heads: as many states (``ssm_state_size``) for each channel (``intermediate_size``)
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import lru_cache

from dummyio.errors import SourceError
from dummyio.generators.base.model_facts import LayerState
from dummyio.huggingface.config.computed_attributes import attribute_of
from dummyio.huggingface.source.evaluator import Interpreter, UnknownValueError
from dummyio.huggingface.source.statements import find_statements
from dummyio.model_config.layer_geometry import has_recurrent_layers
from dummyio.model_config.normalized_config import NormalizedConfig

__all__ = ["layer_states"]

_CONV, _RECURRENT = ".update_conv_state(", ".update_recurrent_state("
_HEADS = ("num_v_heads", "num_heads", "n_heads", "num_mamba_heads", "n_mamba_heads", "mamba_num_heads")
_HEAD_SIZES = ("head_dim", "mamba_head_dim")
_WITHOUT = "Describe the model without its past (a task without '-with-past')."


def layer_states(config: NormalizedConfig, code: Mapping[str, str]) -> LayerState | None:
    """Return what the layers with a state keep; None where no layer of the configuration has one.

    Raises
    ------
    SourceError
        where the source text does not tell the shapes.
    """
    decoder = config.part("decoder")
    if not has_recurrent_layers(decoder):
        return None
    texts = (code[role] for role in ("decoder", "text", "model") if role in code)
    keeper = next((found for text in texts if (found := _keepers(text))), ())
    if len(keeper) != 1:
        reason = "no class of its" if not keeper else "more than one class of its"
        raise SourceError(
            f"layers of the configuration keep a state that is not keys and values, and {reason} source text hands such "
            f"states to a cache, so their shapes are not known. {_WITHOUT}"
        )
    return _states(keeper[0], decoder)


@lru_cache(maxsize=64)
def _keepers(text: str) -> tuple[ast.ClassDef, ...]:
    """Return the classes that hand states to a cache."""
    texts = (found for found in find_statements(text, "class ") if _CONV in found or _RECURRENT in found)
    nodes = (ast.parse(found).body[0] for found in texts)
    return tuple(node for node in nodes if isinstance(node, ast.ClassDef))


def _states(keeper: ast.ClassDef, decoder: NormalizedConfig) -> LayerState:
    kind = decoder.raw("model_type")
    interpreter = Interpreter(
        lambda name: attribute_of(kind, decoder.raw, name) if isinstance(kind, str) else decoder.raw(name),
        of_self=False,
    )
    init = next((part for part in keeper.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"), None)
    try:
        if init is None or "config" not in {argument.arg for argument in init.args.args}:
            raise UnknownValueError("no configuration is given to it")
        interpreter.run(init.body)
        conv = _conv(keeper, interpreter) if _calls(keeper, _CONV) else None
        return LayerState(conv, _recurrent(interpreter) if _calls(keeper, _RECURRENT) else None)
    except UnknownValueError as error:
        raise SourceError(
            f"layers of the configuration keep a state that is not keys and values, whose shape {keeper.name} does not tell "
            f"({error}). {_WITHOUT}"
        ) from error


def _calls(keeper: ast.ClassDef, name: str) -> list[ast.Call]:
    """Return the calls of a method of that name, written with its dot and bracket, or of a class."""
    attribute = name.strip(".(")
    return [
        node
        for node in ast.walk(keeper)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == attribute
    ]


def _conv(keeper: ast.ClassDef, interpreter: Interpreter) -> tuple[int, int]:
    """Return channels and positions of a convolution's state."""
    places = [word.value for call in _calls(keeper, _CONV) for word in call.keywords if word.arg == "state_idx"]
    if any(interpreter.value(place) != 0 for place in places):
        raise UnknownValueError("it keeps more than one state of a convolution")
    layers = _calls(keeper, "Conv1d")
    if len(layers) != 1:
        raise UnknownValueError(f"it has {len(layers)} convolutions")
    channels = _argument(layers[0], "in_channels", 0)
    kernel = next(
        (word.value for call in _calls(keeper, _CONV) for word in call.keywords if word.arg == "conv_kernel_size"),
        _argument(layers[0], "kernel_size", 2),
    )
    return _size(interpreter.value(channels), "in_channels"), _size(interpreter.value(kernel), "kernel_size")


def _argument(call: ast.Call, name: str, place: int) -> ast.expr:
    for word in call.keywords:
        if word.arg == name:
            return word.value
    if place < len(call.args):
        return call.args[place]
    raise UnknownValueError(f"its convolution has no {name}")


def _recurrent(interpreter: Interpreter) -> tuple[int, ...]:
    """Return the sizes of a recurrence's state."""
    heads, keys, values = (_known(interpreter, *names) for names in (_HEADS, ("head_k_dim",), ("head_v_dim",)))
    if heads and keys and values:
        return heads, keys, values
    size, state = _known(interpreter, *_HEAD_SIZES), _known(interpreter, "ssm_state_size")
    if heads and size and not keys and not values:
        return heads, size, state or size
    channels = _known(interpreter, "intermediate_size")
    if channels and state and not heads and not size:
        return channels, state
    raise UnknownValueError("it does not name the sizes of its recurrence")


def _known(interpreter: Interpreter, *names: str) -> int | None:
    """Return the first of a layer's own attributes that is a size."""
    values = (interpreter.names.get(f"self.{name}") for name in names)
    return next((_size(value, "size") for value in values if value is not None), None)


def _size(value: object, name: str) -> int:
    """Return a value that must be a size; a kernel may stand in a list of one."""
    if isinstance(value, (list, tuple)) and len(value) == 1:
        (value,) = value
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UnknownValueError(f"its {name} is {value!r}")
    return value
