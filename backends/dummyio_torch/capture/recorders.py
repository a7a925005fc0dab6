"""Which recordings of a module are open, in all threads: one hook or wrapper serves them all."""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from torch import nn


class Recorder(Protocol):
    """A recording of the calls of a module or a method."""

    thread: int

    def record(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Record one call."""


_LOCK = threading.Lock()
_OPEN: dict[tuple[int, str | None], tuple[list[Recorder], Callable[[], None]]] = {}
"""(id of the module, method) → its open recordings, and what removes the hook or the wrapper."""


def open_recording(model: Any, method: str | None, recorder: Recorder) -> None:
    """Let a recording see the calls of a module, or of one of its methods.

    A call in a thread that has recordings of its own is seen by these, any other call by all: so several threads may record
    one module, each its own calls, and a thread may record those of threads that do not.
    """
    key = (id(model), method)
    with _LOCK:
        if key in _OPEN:
            _OPEN[key][0].append(recorder)
            return
        recorders = [recorder]

        def record(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
            current = tuple(recorders)
            own = [each for each in current if each.thread == threading.get_ident()]
            for each in own or current:
                each.record(args, kwargs)

        _OPEN[key] = (recorders, _add_hook(model, record) if method is None else _wrap_method(model, method, record))


def close_recording(model: Any, method: str | None, recorder: Recorder) -> None:
    """End what `open_recording` began; the last one removes the hook or the wrapper."""
    key = (id(model), method)
    with _LOCK:
        recorders, undo = _OPEN[key]
        recorders.remove(recorder)
        if not recorders:
            del _OPEN[key]
            undo()


def _add_hook(model: nn.Module, record: Callable[..., None]) -> Callable[[], None]:
    def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        record(args, kwargs)

    return model.register_forward_pre_hook(hook, with_kwargs=True).remove


def _wrap_method(model: Any, method: str, record: Callable[..., None]) -> Callable[[], None]:
    original, own = getattr(model, method), method in vars(model)

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        record(args, kwargs)
        return original(*args, **kwargs)

    # A model's own __setattr__ may accept weights only.
    object.__setattr__(model, method, wrapper)

    def undo() -> None:
        if own:
            object.__setattr__(model, method, original)
        else:
            object.__delattr__(model, method)

    return undo
