"""Modules as functions of named feeds."""

import copy
from collections.abc import Mapping
from functools import cached_property

import numpy as np
import torch
from torch import nn

from dummyio.errors import DTypeError, RunError, format_error_line
from dummyio.input_spec import InputSpec
from dummyio.running.runner import check_feed_names
from dummyio.spec.dtypes import DType
from dummyio.typing import Array
from dummyio_torch.calling.array_conversion import to_arrays, to_tensors
from dummyio_torch.calling.call_module import ModuleCall, device_of, evaluation_mode
from dummyio_torch.calling.silence import use_plain_layers
from dummyio_torch.dtypes import from_native
from dummyio_torch.running.random_arguments import find_random_arguments
from dummyio_torch.running.rounded_run import Rounding

_NARROW = (torch.bfloat16, torch.float16)


class ModuleRunner:
    """A module in evaluation mode, without gradients. It is not copied, so later changes of it take effect."""

    inputs = None
    outputs = None

    def __init__(self, module: nn.Module, spec: InputSpec) -> None:
        self.engine = f"torch {torch.__version__}"
        self._module = ModuleCall(module, spec)
        dtypes = {weights.dtype for weights in module.parameters()}
        self.computes_in = next((from_native(each) for each in _NARROW if each in dtypes), None)

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run the module; see `dummyio.running.runner.Runner`."""
        return self._run(self._module, feeds)

    @property
    def random_arguments(self) -> tuple[str, ...]:
        """The arguments that the module draws at random, because the spec leaves them out."""
        return find_random_arguments(self._module.module, {path.partition(".")[0] for path in self._module.paths})

    def in_double(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run a copy of the module in float64 on the same feeds, which gives its outputs almost without rounding.

        Raises
        ------
        RunError
            if the module does not run on these feeds, or does not compute in float64.
        """
        wide = {
            path: values.astype(np.float64) if DType.of(values.dtype).kind == "float" else values
            for path, values in ((path, np.asarray(values)) for path, values in feeds.items())
        }
        return self._run(self._double, wide)

    def in_precision(self, feeds: Mapping[str, Array], precision: str) -> dict[str, Array]:
        """Run the module with weights and activations rounded to a preset's precision, which an artifact of it cannot avoid.

        Raises
        ------
        RunError
            if the module does not run on these feeds.
        """
        with Rounding(precision):
            return self._run(self._module, feeds)

    @cached_property
    def _double(self) -> ModuleCall:
        try:
            module = copy.deepcopy(self._module.module).to(torch.float64)
        except Exception as error:  # any object in a module may refuse to be copied or converted
            raise RunError(f"the module has no form in float64: {format_error_line(error)}") from error
        return ModuleCall(module, self._module.spec)

    def _run(self, call: ModuleCall, feeds: Mapping[str, Array]) -> dict[str, Array]:
        check_feed_names(feeds, call.paths)
        leaves = to_tensors(feeds, device_of(call.module))
        try:
            # As exports do: with its fused layers, PyTorch returns NaN for a row that a mask hides, and numbers without them.
            with evaluation_mode(call.module), use_plain_layers():
                return to_arrays(call(leaves))
        except DTypeError:
            raise
        except Exception as error:
            raise RunError(f"{self.engine} failed: {format_error_line(error)}") from error
