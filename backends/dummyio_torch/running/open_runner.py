"""Moved out of backends/dummyio_torch/running/module_runner.py."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import nn

from dummyio.backend.frameworks import qualified_name
from dummyio.errors import OptionError, SourceError
from dummyio.input_spec import InputSpec
from dummyio_torch.running.module_runner import ModuleRunner


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
        from dummyio_torch.running.program_runner import open_program  # noqa: PLC0415 - torch.export loads much that a module does not need

        return open_program(target, spec)
    if isinstance(target, torch.export.ExportedProgram):
        from dummyio_torch.running.program_runner import ProgramRunner  # noqa: PLC0415 - as above

        return ProgramRunner(target, spec)
    if not isinstance(target, nn.Module):
        raise SourceError(f"a {qualified_name(target)} is no module: give an nn.Module or a .pt2 file.")
    if spec is None:
        raise SourceError(
            f"a {qualified_name(target)} does not say how its inputs nest: give its spec, "
            "open_runner(model, dummyio.describe(model))."
        )
    return ModuleRunner(target, spec)
