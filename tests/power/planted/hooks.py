"""Changes of what flows through a module: readable where a graph's nodes are not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn


def change_output(module: nn.Module, change: Callable[[Any], Any]) -> None:
    """Let a module return something else."""
    module.register_forward_hook(lambda _, __, found: change(found))


def change_input(module: nn.Module, change: Callable[..., Any]) -> None:
    """Let a module take something else; `change` gets its tensors in order and returns as many."""

    def swap(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        names = [name for name, value in kwargs.items() if isinstance(value, torch.Tensor)]
        tensors = [value for value in args if isinstance(value, torch.Tensor)]
        changed = change(*tensors, *(kwargs[name] for name in names))
        new = iter(changed if isinstance(changed, tuple) else (changed,))
        placed = tuple(next(new) if isinstance(value, torch.Tensor) else value for value in args)
        return placed, kwargs | {name: next(new) for name in names}

    module.register_forward_pre_hook(swap, with_kwargs=True)


def change_masks(module: nn.Module, change: Callable[[torch.Tensor], torch.Tensor], only: str = "") -> None:
    """Let the attention layers, those with `only` in their path, see other masks: ``[batch, 1, queries, keys]``."""

    def swap(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        def new(value: Any) -> Any:
            return change(value) if isinstance(value, torch.Tensor) and value.ndim == 4 else value

        return tuple(map(new, args)), {name: new(value) for name, value in kwargs.items()}

    found = [part for path, part in parts(module, "Attention") if only in path]
    inner = [part for part in found if not any(other is not part and other in part.modules() for other in found)]
    assert inner, "no attention here"
    for part in inner:
        part.register_forward_pre_hook(swap, with_kwargs=True)


def parts(module: nn.Module, kind: str) -> Iterator[tuple[str, nn.Module]]:
    """Yield path and part for the parts whose class's name ends so."""
    return ((path, part) for path, part in module.named_modules() if type(part).__name__.endswith(kind))
