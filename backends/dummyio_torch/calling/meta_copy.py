"""A copy of a module that can be run without touching the module: its weights have shapes and no memory.

The copy is in evaluation mode and has no hooks. It lives on the *meta* device, which is the fastest; or is *fake*, for modules
that make tensors on a device of their own; or is *real*, with the module's weights and buffers of its own, for modules whose
way depends on values.
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.parameter import is_lazy

from dummyio.errors import SourceError

__all__ = ["Kind", "MetaCopy", "check_sizes", "iterate_weights"]

Kind = Literal["meta", "fake", "real"]

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class MetaCopy:
    """The copy, and how to run it."""

    def __init__(self, module: nn.Module, kind: Kind = "meta") -> None:
        """Copy the module; raise `SourceError` where it cannot be copied."""
        self.kind = kind
        self.real = kind == "real"
        self._mode = FakeTensorMode(allow_non_fake_inputs=True) if kind == "fake" else None
        self._device = "meta" if kind == "meta" else "cpu"
        self.module = self._copied(module).eval()
        for part in self.module.modules():
            for name in _HOOKS:
                getattr(part, name).clear()

    def _copied(self, module: nn.Module) -> nn.Module:
        with self._around():
            memo: dict[int, Any] = {id(tensor): self._stand_in(tensor) for tensor in iterate_weights(module)}
        try:
            return copy.deepcopy(module, memo)
        except Exception as error:
            raise SourceError(
                f"{type(module).__name__} cannot be copied for probing ({type(error).__name__}: {error}). Record calls of it "
                "with dummyio.capture, or describe its inputs by hand with InputSpec."
            ) from error

    def _stand_in(self, tensor: torch.Tensor) -> torch.Tensor:
        is_weight = isinstance(tensor, nn.Parameter)
        if self.real:
            new = tensor.detach() if is_weight else tensor.detach().clone()
            new = new.to("cpu")
        elif tensor.layout is torch.strided:
            new = torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype, device=self._device)
        else:
            new = torch.empty(tensor.size(), dtype=tensor.dtype, device=self._device)
        return nn.Parameter(new, requires_grad=False) if is_weight else new

    @contextmanager
    def _around(self) -> Generator[None, None, None]:
        """Neither gradients, nor the random state, nor values."""
        with ExitStack() as stack:
            stack.enter_context(torch.no_grad())
            if self._mode is not None:
                stack.enter_context(self._mode)
                stack.enter_context(_quiet())
            elif self.real:
                stack.enter_context(torch.random.fork_rng(devices=[]))
            else:
                stack.enter_context(torch.device("meta"))
            yield

    def tensor(self, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        """Return an input: without values, or all ones, which are ids, lengths, masks and numbers alike."""
        with self._around():
            return torch.ones(shape, dtype=dtype) if self.real else torch.empty(shape, dtype=dtype)

    def run(self, around: Any, positional: tuple[str, ...], arguments: Mapping[str, Any]) -> Any:
        """Call the copy, inside of `around` (a context)."""
        named = dict(arguments)
        first = [named.pop(name) for name in positional if name in named]
        fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)  # it fuses layers into an operation that has no shapes
        try:
            with warnings.catch_warnings(), self._around(), around:
                warnings.simplefilter("ignore")  # of runs that nobody asked for
                return self.module(*first, **named)
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)


@contextmanager
def _quiet() -> Generator[None, None, None]:
    """Keep what fails, which is what a search is made of, out of the log."""
    log = logging.getLogger("torch._subclasses.fake_tensor")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def check_sizes(module: nn.Module) -> None:
    """Raise `SourceError` for layers that have no sizes yet."""
    if any(is_lazy(tensor) for tensor in iterate_weights(module)):
        raise SourceError(
            f"{type(module).__name__} has lazy layers, whose sizes the first call decides: call it once before."
        )


def iterate_weights(module: nn.Module) -> Iterator[torch.Tensor]:
    """Yield all tensors that a module holds: parameters, buffers, and such as are plain attributes."""
    for part in module.modules():
        held = vars(part)
        for value in (*part._parameters.values(), *part._buffers.values(), *held.values()):  # noqa: SLF001 - not only the trained
            if isinstance(value, torch.Tensor):
                yield value
            elif isinstance(value, (list, tuple)):
                yield from (item for item in value if isinstance(item, torch.Tensor))
