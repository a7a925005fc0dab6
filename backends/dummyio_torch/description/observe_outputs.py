"""What a module returns, observed in runs of a copy whose tensors have shapes and no memory.

A configuration alone is enough for a class of Transformers: it is built on the meta device, without weights. A live module that needs
values is run with those of the spec.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from dummyio.errors import SourceError, format_error_line
from dummyio.input_spec import InputSpec
from dummyio.process_state import ignore_warnings
from dummyio.spec.dtypes import DType
from dummyio_torch.calling.array_conversion import to_tensors
from dummyio_torch.calling.build_class import build_class
from dummyio_torch.calling.call_module import ModuleCall
from dummyio_torch.calling.meta_copy import Kind, MetaCopy, iterate_weights
from dummyio_torch.dtypes import from_native, to_native

_MAX_WEIGHTS = 1 << 24
"""Weights of a model that is built from its configuration with random values, because it needs values."""


class OutputObserver:
    """A module without memory, for runs at several sizes.

    Parameters
    ----------
    module
        A live module, or one without memory.
    rebuild
        Makes the same module with weights, for one without memory that needs values and is small.
    """

    def __init__(self, module: nn.Module, rebuild: Callable[[], nn.Module] | None = None) -> None:
        self._module, self._rebuild = module, rebuild
        self._copies: dict[Kind, MetaCopy] = {}
        without_memory = any(weight.is_meta for weight in iterate_weights(module))
        small = sum(weight.numel() for weight in iterate_weights(module)) <= _MAX_WEIGHTS
        can_be_real = small and rebuild is not None if without_memory else True
        self._kinds: tuple[Kind, ...] = ("meta", "fake", "real") if can_be_real else ("meta", "fake")
        """Copies to run, the fastest first; models see that a fake tensor has no values, and some do not ask for them."""

    def observe(self, spec: InputSpec, sizes: Mapping[str, int]) -> dict[str, tuple[tuple[int, ...], DType]]:
        """Return output → shape and dtype at sizes of the dims of a spec, in the order in which they are returned.

        Raises
        ------
        SourceError
            if the module does not run without values.
        """
        failures: list[Exception] = []
        for kind in self._kinds:
            try:
                found = self._run(kind, spec, sizes)
                if not found:
                    raise SourceError("it returns no tensors.")
            except Exception as error:  # noqa: BLE001 - the module's own code, which may need values
                failures.append(error)
            else:
                self._kinds = self._kinds[self._kinds.index(kind) :]  # one that failed fails at other sizes too
                return {name: (tuple(tensor.shape), from_native(tensor.dtype)) for name, tensor in found.items()}
        raise SourceError(
            f"{type(self._module).__name__} does not run without values: {format_error_line(failures[-1])}"
        ) from failures[-1]

    def _run(self, kind: Kind, spec: InputSpec, sizes: Mapping[str, int]) -> dict[str, torch.Tensor]:
        if kind not in self._copies:
            module = self._rebuild() if kind == "real" and self._rebuild is not None else self._module
            self._copies[kind] = MetaCopy(module, kind)
        copy = self._copies[kind]
        if copy.real:
            leaves = to_tensors(spec.feeds(**sizes), torch.device("cpu"))
        else:
            leaves = {path: copy.tensor(leaf.sizes(sizes), to_native(leaf.dtype)) for path, leaf in spec.leaves}
        # Without the outputs of the spec, so that all that is returned has a name.
        call = ModuleCall(copy.module, InputSpec(dict(spec), task=spec.task))
        with ignore_warnings():
            return copy.enter(lambda: call.run(leaves))


def observe_class(class_name: str, module_name: str, values: Mapping[str, Any]) -> OutputObserver:
    """Return an observer of a model of Transformers, which is built on the meta device.

    Parameters
    ----------
    class_name, module_name
        The class, and the module of the installed library that defines it.
    values
        The configuration as plain data, with ``model_type``.

    Raises
    ------
    SourceError
        if the class cannot be built from this configuration.
    """

    def build(device: str) -> nn.Module:
        return build_class(class_name, module_name, values, device)

    return OutputObserver(build("meta"), lambda: build("cpu"))
