"""Modules as functions of named feeds; ``.pt2`` files are opened by `dummyio_torch.run_pt2`."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn

from dummyio.dtypes import DType
from dummyio.errors import DTypeError, OptionError, RunError, SourceError
from dummyio.runner import check_names
from dummyio.spec import InputSpec
from dummyio.targets import describe_object
from dummyio_torch.calling import Calling, device_of, evaluating
from dummyio_torch.tensors import from_numpy, to_numpy

__all__ = ["ModuleRunner", "runner", "to_arrays", "to_tensors"]

Array = np.ndarray[Any, Any]


class ModuleRunner:
    """A module in evaluation, without gradients; it declares nothing, and is left as it was."""

    inputs = None
    outputs = None

    def __init__(self, module: nn.Module, spec: InputSpec) -> None:
        """Keep the module itself: what changes in it later shows."""
        self.engine = f"torch {torch.__version__}"
        self._calling = Calling(module, spec)

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
    def _double(self) -> Calling:
        try:
            module = copy.deepcopy(self._calling.module).to(torch.float64)
        except Exception as error:  # whatever a module holds may refuse to be copied or converted
            raise RunError(f"the module has no form in float64: {type(error).__name__}: {error}") from error
        return Calling(module, self._calling.spec)

    def _run(self, calling: Calling, feeds: Mapping[str, Array]) -> dict[str, Array]:
        check_names(feeds, calling.paths)
        leaves = to_tensors(feeds, device_of(calling.module))
        try:
            with evaluating(calling.module):
                return to_arrays(calling(leaves))
        except DTypeError:
            raise
        except Exception as error:
            raise RunError(f"{self.engine} failed: {type(error).__name__}: {error}") from error


def runner(target: Any, spec: InputSpec | None, engine: str | None) -> Any:
    """Return a module (which needs a spec) or a ``.pt2`` file as a runner; there is one engine only.

    Raises
    ------
    SourceError
        for what is neither, a module without a spec, and a file that PyTorch does not open.
    OptionError
        for any `engine`.
    """
    if engine is not None:
        raise OptionError(f"engine={engine!r}: PyTorch runs its own models; leave the engine out.")
    if isinstance(target, (str, os.PathLike)):
        from dummyio_torch.run_pt2 import open_program  # noqa: PLC0415 - torch.export loads much that a module does not need

        return open_program(target, spec)
    if isinstance(target, torch.export.ExportedProgram):
        from dummyio_torch.run_pt2 import ProgramRunner  # noqa: PLC0415 - as above

        return ProgramRunner(target, spec)
    if not isinstance(target, nn.Module):
        raise SourceError(f"a {describe_object(target)} is no module: give an nn.Module or a .pt2 file.")
    if spec is None:
        raise SourceError(
            f"a {describe_object(target)} does not say how its inputs nest: give its spec, "
            "open_runner(model, dummyio.describe(model))."
        )
    return ModuleRunner(target, spec)


def to_tensors(feeds: Mapping[str, Array], device: torch.device) -> dict[str, torch.Tensor]:
    """Return feeds as tensors on memory of their own: a module may write on what it is given."""
    return {path: from_numpy(np.array(v, order="C"), DType.of(v.dtype), device) for path, v in feeds.items()}


def to_arrays(results: Mapping[str, torch.Tensor]) -> dict[str, Array]:
    """Return results as arrays of their own: a result may be an input, a weight, or a view of the module's state."""
    return {name: np.array(to_numpy(value.detach().resolve_conj().resolve_neg())) for name, value in results.items()}
