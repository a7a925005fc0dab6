"""The memory that a run takes, known before an operation allocates it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from math import prod
from typing import Any

import torch
from torch._ops import HigherOrderOperator
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode  # the import path in the documentation of PyTorch
from torch.utils._pytree import tree_map

from dummyio.materialize.memory_budget import format_bytes
from dummyio.sources.proof.budget import MAX_RUN_BYTES
from dummyio_torch.discovery.run_observer import run_within, tensors_in

_SMALL = 1 << 22
"""Elements below which a result is not computed on shapes first."""


class MemoryLimitError(MemoryError):
    """A run would allocate more than it may; nothing was allocated."""


class MemoryGuard(TorchDispatchMode):
    """Counts what the operations of a run allocate, and refuses the one that would exceed the limit.

    Parameters
    ----------
    most
        The limit in bytes; None to count only.

    Attributes
    ----------
    peak
        The most bytes that results took at one time.
    """

    supports_higher_order_operators = True
    _is_hidden = False

    def __init__(self, most: int | None = MAX_RUN_BYTES) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.most = most
        self.peak = 0
        self._live = 0
        self._storages: dict[int, tuple[StorageWeakRef, int]] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keep PyTorch from importing its compiler here, which takes seconds."""
        return False

    def __enter__(self) -> Any:
        """Begin to count; a compiler that is imported leaves the guard alone."""
        if "torch._dynamo" in sys.modules:
            self._hide()
        return super().__enter__()  # type: ignore[no-untyped-call]

    @classmethod
    def _hide(cls) -> None:
        """Do what PyTorch does with modes of its own, once."""
        if not cls._is_hidden:
            cls.__torch_dispatch__ = torch._disable_dynamo(cls.__torch_dispatch__, recursive=True)  # type: ignore[attr-defined,method-assign] # noqa: SLF001
            cls._is_hidden = True

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Check an operation, run it, and count its results."""
        kwargs = kwargs or {}
        if isinstance(func, HigherOrderOperator):
            return func(*run_within(self, args), **run_within(self, kwargs))
        if self.most is not None and _may_be_large(args, kwargs):
            self._check(func, args, kwargs)
        result = func(*args, **kwargs)
        known = {_key(tensor) for tensor in tensors_in((args, kwargs))}
        for tensor in tensors_in(result):
            key = _key(tensor)
            if key is not None and key not in known and key not in self._storages:
                storage = tensor.untyped_storage()
                self._storages[key] = StorageWeakRef(storage), storage.nbytes()
                self._live += storage.nbytes()
        if self._live > self.peak:
            self._drop_freed()
            self.peak = max(self.peak, self._live)
            self._refuse_if_over(func, self._live)
        return result

    def _check(self, func: Any, args: Any, kwargs: Any) -> None:
        """Refuse an operation whose results are too large: their shapes are computed without memory."""
        try:
            shapes = func(*tree_map(_to_meta, args), **tree_map(_to_meta, {**kwargs, **_on_meta(func)}))
        except Exception:  # noqa: BLE001 - a result that depends on values, which no input's size exceeds by much
            return
        self._drop_freed()
        self._refuse_if_over(func, self._live + sum(t.nbytes for t in tensors_in(shapes)))

    def _drop_freed(self) -> None:
        self._storages = {key: item for key, item in self._storages.items() if not item[0].expired()}
        self._live = sum(size for _, size in self._storages.values())

    def _refuse_if_over(self, func: Any, size: int) -> None:
        if self.most is not None and size > self.most:
            raise MemoryLimitError(
                f"{func} would take {format_bytes(size)} in all; the limit of a run is {format_bytes(self.most)}"
            )


def _on_meta(func: Any) -> dict[str, Any]:
    names = {argument.name for argument in func._schema.arguments}  # noqa: SLF001 - no public way to the schema
    return {"device": torch.device("meta")} if "device" in names else {}


def _may_be_large(args: Any, kwargs: Any) -> bool:
    counts = sorted((tensor.numel() for tensor in tensors_in((args, kwargs))), reverse=True)
    numbers = [abs(n) for n in _numbers((args, kwargs)) if n]
    return prod(counts[:2] or [1]) > _SMALL or prod(numbers) * max(counts, default=1) > _SMALL


def _numbers(value: Any) -> Iterator[int]:
    if type(value) is int:
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _numbers(item)


def _to_meta(value: Any) -> Any:
    if not isinstance(value, torch.Tensor) or value.is_meta:
        return value
    return torch.empty_strided(value.size(), value.stride(), dtype=value.dtype, device="meta")


def _key(tensor: torch.Tensor) -> int | None:
    try:
        return int(tensor.untyped_storage()._cdata)  # noqa: SLF001 - what StorageWeakRef compares too
    except (NotImplementedError, RuntimeError):  # sparse tensors have several storages, and are not counted
        return None
