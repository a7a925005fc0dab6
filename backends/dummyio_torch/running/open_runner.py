"""The runner of a target: a module, an exported program or a ``.pt2`` file."""

import os
from typing import Any

import torch
from torch import nn

from dummyio.backend.frameworks import qualified_name
from dummyio.errors import OptionError, SourceError
from dummyio.input_spec import InputSpec
from dummyio.running.runner import Runner
from dummyio_torch.running.module_runner import ModuleRunner


def open_runner(target: Any, spec: InputSpec | None, engine: str | None, *, trust: bool = False) -> Runner:
    """Return a module (with its spec), an exported program or a ``.pt2`` file as a runner; there is one engine only.

    Raises
    ------
    TrustError
        for a file that contains more than tensors and operators that compute, unless `trust`.
    SourceError
        for any other target, a module without a spec, and a file that PyTorch does not open.
    OptionError
        for an `engine`.
    """
    if engine is not None:
        raise OptionError(f"engine={engine!r}: PyTorch runs its models itself; leave the engine out.")
    if isinstance(target, (str, os.PathLike, torch.export.ExportedProgram)):
        from dummyio_torch.running.program_runner import ProgramRunner, open_program  # noqa: PLC0415 - lazy: start-up time

        if isinstance(target, torch.export.ExportedProgram):
            return ProgramRunner(target, spec)
        return open_program(target, spec, trust=trust)
    if not isinstance(target, nn.Module):
        raise SourceError(f"a {qualified_name(target)} is not a module: give an nn.Module or a .pt2 file.")
    if spec is None:
        raise SourceError(
            f"a {qualified_name(target)} does not declare how its inputs nest: give its spec, "
            "open_runner(model, dummyio.describe(model))."
        )
    return ModuleRunner(target, spec)
