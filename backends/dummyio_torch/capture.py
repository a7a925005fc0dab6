"""Records real calls of a module: the shapes, dtypes and ranges of its inputs, and none of the inputs themselves."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import nn

from dummyio.errors import OptionError, SourceError
from dummyio.spec import InputSpec

__all__ = ["Capture", "Recorded", "Tree"]


@dataclass(frozen=True)
class Recorded:
    """What was seen of one tensor."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    low: float = 0.0
    high: float = 0.0
    """Least and greatest value; 0 for none."""
    finite: bool = True
    side: str | None = None
    """Where rows of 0 and 1 have their zeros: ``left``, ``right``, ``none``; None where it is no mask."""
    hidden: str | None = None
    """Where they have their ones, in the same words."""
    counts_from: int | None = None
    """Where every row counts up by one from the same number on: that number."""


@dataclass(frozen=True)
class Container:
    """A container of recorded trees."""

    kind: str
    items: tuple[tuple[str, Tree], ...]


Tree = Recorded | Container
Call = dict[str, Tree]


class Capture:
    """A context that records the calls of a module, or of one of its methods.

    It has the calls that it saw as its length.
    """

    def __init__(self, model: Any, method: str | None = None) -> None:
        self._model, self._method = model, method
        target = model if method is None else getattr(model, method, None)
        if not callable(target):
            what = "it cannot be called" if method is None else f"it has no method {method!r}"
            raise OptionError(f"a {type(model).__qualname__} cannot be recorded: {what}.")
        if method is None and not isinstance(model, nn.Module):
            raise OptionError(
                f"a {type(model).__qualname__} is no torch.nn.Module: name the method to record, "
                "dummyio.capture(model, 'predict')."
            )
        function = model.forward if method is None else target
        try:
            self._signature = inspect.signature(function)
        except (TypeError, ValueError) as error:
            raise SourceError(
                f"{function!r} has no signature to read, so its inputs have no names: {error}."
            ) from error
        self.calls: list[Call] = []
        self.settings: list[dict[str, Any]] = []
        """What else each call was given: numbers, words and switches."""
        self._undo: Callable[[], None] | None = None

    def __len__(self) -> int:
        return len(self.calls)

    def __enter__(self) -> Self:
        if self._undo is not None:
            raise OptionError("this recording has been entered already: leave it first, or make another.")
        self._undo = self._hooked() if self._method is None else self._wrapped(self._method)
        return self

    def __exit__(self, *_: object) -> None:
        if self._undo is not None:
            self._undo()
            self._undo = None

    def _hooked(self) -> Callable[[], None]:
        def record(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self._record(args, kwargs)

        handle = self._model.register_forward_pre_hook(record, with_kwargs=True)
        return handle.remove

    def _wrapped(self, method: str) -> Callable[[], None]:
        original, own = getattr(self._model, method), method in vars(self._model)

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            self._record(args, kwargs)
            return original(*args, **kwargs)

        # Past an own __setattr__, which may take nothing but weights.
        object.__setattr__(self._model, method, wrapper)

        def undo() -> None:
            if own:
                object.__setattr__(self._model, method, original)
            else:
                object.__delattr__(self._model, method)

        return undo

    def _record(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError:
            return  # the call itself raises, with its own words
        named: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            kind = self._signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_KEYWORD:
                named.update(value)
            elif kind is inspect.Parameter.VAR_POSITIONAL:
                named.update({f"{name}_{place}": each for place, each in enumerate(value)})
            else:
                named[name] = value
        trees = {name: tree for name, value in named.items() if (tree := _recorded(value)) is not None}
        self.calls.append(trees)
        self.settings.append({name: each for name, each in named.items() if isinstance(each, (bool, int, float, str))})

    def spec(self) -> InputSpec:
        """Return the spec of the calls.

        Axes that varied are symbols; those with the same size in every call share one, and one that was the sum of two others
        in every call is their sum. After a single call, a symbol is what a shape-only run of the module confirms.

        Raises
        ------
        SourceError
            where no call was recorded, none had a tensor, or the calls do not agree in names, ranks or dtypes.
        """
        from dummyio_torch.recording import Recording, spec_of  # noqa: PLC0415 - recording does not need it

        module = self._model if self._method is None else None
        label = f"{type(self._model).__module__}.{type(self._model).__qualname__}"
        return spec_of(Recording(self.calls, self.settings, module, label))


def _recorded(value: Any) -> Tree | None:
    """Return what is kept of an argument; None for what is no data."""
    if isinstance(value, torch.Tensor):
        return _seen(value)
    layers = _layers(value)
    if layers is not None:
        value, kind = layers, "cache"
    elif isinstance(value, Mapping):
        kind = "dict"
    elif isinstance(value, (list, tuple)):
        kind = "tuple" if isinstance(value, tuple) else "list"
    else:
        return None
    pairs = value.items() if isinstance(value, Mapping) else ((str(place), item) for place, item in enumerate(value))
    items = tuple((str(key), tree) for key, item in pairs if (tree := _recorded(item)) is not None)
    return Container(kind, items) if items else None


def _layers(value: Any) -> list[dict[str, torch.Tensor]] | None:
    """Return the layers of a cache of Transformers'; None for anything else."""
    if hasattr(value, "self_attention_cache") and hasattr(value, "cross_attention_cache"):
        own, cross = _layers(value.self_attention_cache) or [], _layers(value.cross_attention_cache) or []
        if len(own) != len(cross):
            return None
        return [
            {**{f"decoder.{k}": t for k, t in a.items()}, **{f"encoder.{k}": t for k, t in b.items()}}
            for a, b in zip(own, cross, strict=True)
        ]
    layers = getattr(value, "layers", None)
    if not isinstance(layers, list) or not hasattr(value, "get_seq_length"):
        return None
    found: list[dict[str, torch.Tensor]] = []
    for layer in layers:
        key, value = getattr(layer, "keys", None), getattr(layer, "values", None)
        if not isinstance(key, torch.Tensor) or not isinstance(value, torch.Tensor):
            return []  # nothing in it yet
        found.append({"key": key, "value": value})
    return found


def _seen(tensor: torch.Tensor) -> Recorded:
    """Return what is kept of a tensor."""
    shape, dtype = tuple(tensor.shape), tensor.dtype
    values = tensor.detach()
    if tensor.is_meta or not values.numel() or dtype.is_complex:
        return Recorded(shape, dtype)
    if dtype.is_floating_point:
        values = values.to(torch.float64)
        finite = bool(values.isfinite().all())
        values = values[values.isfinite()]
        if not values.numel():
            return Recorded(shape, dtype, finite=False)
        low, high = float(values.min()), float(values.max())
        return Recorded(shape, dtype, low, high, finite, _side(tensor), _side(1 - tensor))
    values = values.to(torch.int64)
    return Recorded(
        shape,
        dtype,
        int(values.min()),
        int(values.max()),
        side=_side(values),
        hidden=_side(1 - values),
        counts_from=_counts_from(values),
    )


def _side(tensor: torch.Tensor) -> str | None:
    if tensor.ndim < 1 or not bool(((tensor == 0) | (tensor == 1)).all()):
        return None
    rows = tensor.detach().reshape(-1, tensor.shape[-1]).to(torch.int8)
    steps = rows[:, 1:] - rows[:, :-1]
    if bool((rows == 1).all()):
        return "none"
    if bool((steps <= 0).all()) and bool((rows[:, 0] == 1).all()):
        return "right"
    return "left" if bool((steps >= 0).all()) and bool((rows[:, -1] == 1).all()) else None


def _counts_from(values: torch.Tensor) -> int | None:
    if values.ndim < 1 or values.shape[-1] < 1:
        return None
    rows = values.reshape(-1, values.shape[-1])
    first = int(rows[0, 0])
    counted = torch.arange(first, first + rows.shape[-1], device=rows.device)
    return first if bool((rows == counted).all()) else None
