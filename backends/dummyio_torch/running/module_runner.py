"""Modules as functions of named feeds; ``.pt2`` files are opened by `dummyio_torch.run_pt2`."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cached_property

import numpy as np
import torch
from torch import nn

from dummyio.errors import DTypeError, RunError
from dummyio.input_spec import InputSpec
from dummyio.running.runner import check_feed_names
from dummyio.spec.dtypes import DType
from dummyio.typing import Array
from dummyio_torch.calling.array_conversion import to_arrays, to_tensors
from dummyio_torch.calling.call_module import ModuleCall, device_of, evaluation_mode

__all__ = ["ModuleRunner"]


class ModuleRunner:
    """A module in evaluation, without gradients; it declares nothing, and is left as it was."""

    inputs = None
    outputs = None

    def __init__(self, module: nn.Module, spec: InputSpec) -> None:
        """Keep the module itself: what changes in it later shows."""
        self.engine = f"torch {torch.__version__}"
        self._calling = ModuleCall(module, spec)

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run the module; see `dummyio.runner.Runner`."""
        return self._run(self._calling, feeds)

    def in_double(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run a copy of the module in float64 on the same feeds: what it would return with next to no rounding.

        Raises
        ------
        RunError
            as a call does, and where the module does not compute in float64.
        """
        wide = {
            path: values.astype(np.float64) if DType.of(values.dtype).kind == "float" else values
            for path, values in ((path, np.asarray(values)) for path, values in feeds.items())
        }
        return self._run(self._double, wide)

    @cached_property
    def _double(self) -> ModuleCall:
        try:
            module = copy.deepcopy(self._calling.module).to(torch.float64)
        except Exception as error:  # whatever a module holds may refuse to be copied or converted
            raise RunError(f"the module has no form in float64: {type(error).__name__}: {error}") from error
        return ModuleCall(module, self._calling.spec)

    def _run(self, calling: ModuleCall, feeds: Mapping[str, Array]) -> dict[str, Array]:
        check_feed_names(feeds, calling.paths)
        leaves = to_tensors(feeds, device_of(calling.module))
        try:
            with evaluation_mode(calling.module):
                return to_arrays(calling(leaves))
        except DTypeError:
            raise
        except Exception as error:
            raise RunError(f"{self.engine} failed: {type(error).__name__}: {error}") from error
