"""Records real calls of a module: the shapes, dtypes and ranges of its inputs, but not the inputs themselves."""

import inspect
import threading
from collections.abc import Mapping
from typing import Any, Self

from torch import nn

from dummyio.backend.frameworks import qualified_name
from dummyio.errors import OptionError, SourceError, SpecError
from dummyio.input_spec import InputSpec
from dummyio_torch.capture.recorded_calls import Call, record_value
from dummyio_torch.capture.recorders import close_recording, open_recording


class Capture:
    """A context that records the calls of a module, or of one of its methods; its length is the number of calls."""

    def __init__(self, model: Any, method: str | None = None) -> None:
        self._model, self._method = model, method
        target = model if method is None else getattr(model, method, None)
        if not callable(target):
            what = "it cannot be called" if method is None else f"it has no method {method!r}"
            raise OptionError(f"a {type(model).__qualname__} cannot be recorded: {what}.")
        if method is None and not isinstance(model, nn.Module):
            raise OptionError(
                f"a {type(model).__qualname__} is not a torch.nn.Module: name the method to record, "
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
        """The arguments of each call that are not tensors: numbers, words and switches."""
        self.thread = threading.get_ident()
        """The thread that has entered the context: it records its own calls, and those of threads that record nothing."""
        self._is_open = False
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.calls)

    def __enter__(self) -> Self:
        if self._is_open:
            raise OptionError("this recording has been entered already: leave it first, or make another.")
        self.thread = threading.get_ident()
        open_recording(self._model, self._method, self)
        self._is_open = True
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_open:
            self._is_open = False
            close_recording(self._model, self._method, self)

    def record(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Record one call by its arguments."""
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError:
            return  # the call itself raises
        named: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            kind = self._signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_KEYWORD:
                named.update(value)
            elif kind is inspect.Parameter.VAR_POSITIONAL:
                named.update({f"{name}_{place}": each for place, each in enumerate(value)})
            else:
                named[name] = value
        trees: Call = {}
        for name, value in named.items():
            try:
                tree = record_value(value)
            except SpecError as error:
                raise SourceError(f"call {len(self.calls) + 1}, input {name!r}: {error}") from None
            if tree is not None:
                trees[name] = tree
        settings = {name: each for name, each in named.items() if isinstance(each, (bool, int, float, str))}
        with self._lock:
            self.calls.append(trees)
            self.settings.append(settings)

    def spec(self) -> InputSpec:
        """Return the spec of the calls.

        Axes that varied are dims. Axes with the same size in every call share one dim, and an axis that was the sum of two
        others in every call is their sum. After a single call, axes are dims if a shape-only run of the module confirms it.

        Raises
        ------
        SourceError
            If no call was recorded, none had a tensor, or the calls do not agree in names, ranks or dtypes.
        """
        from dummyio_torch.capture.describe_calls import Recording, describe_calls  # noqa: PLC0415 - lazy: recording does not need it

        module = self._model if self._method is None else None
        return describe_calls(Recording(self.calls, self.settings, module, qualified_name(self._model)))
