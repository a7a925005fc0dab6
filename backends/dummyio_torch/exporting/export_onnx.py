"""``torch.onnx.export`` to an ``.onnx`` file, by either of its exporters."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from torch import nn

from dummyio.errors import NotInstalledError, OptionError
from dummyio.exporting.artifact import ExportResult
from dummyio.exporting.static_dims import fix_dims
from dummyio.input_spec import InputSpec
from dummyio.typing import StaticDims
from dummyio_torch.exporting.implementation_fallback import Implementations, try_implementations
from dummyio_torch.exporting.onnx_options import OnnxOptions

__all__ = ["export_onnx"]


def export_onnx(  # noqa: PLR0913 - each is an option of its own
    model: nn.Module,
    spec: InputSpec,
    path: Path,
    *,
    opset: int | None = None,
    exporter: Literal["dynamo", "torchscript"] = "dynamo",
    external_data: bool | None = None,
    weights: bool = True,
    optimize: bool = True,
    static: StaticDims = None,
    attention: str | None = None,
    experts: str | None = None,
    rewrite: bool = True,
) -> ExportResult:
    """Write a module as an ONNX file whose inputs, outputs and symbols are those of the spec.

    Parameters
    ----------
    model, spec, path
        As in `dummyio.exporting`.
    opset
        The version of the operators; PyTorch's default where not given.
    exporter
        ``"dynamo"``, or ``"torchscript"`` for the one before it.
    external_data
        Whether weights lie in a file beside; where not given, only if they are too large for one file.
    weights
        Without them, what is written is the structure: each weight with its shape, in a file that is not there.
    optimize
        Fold constants and simplify, where the exporter does.
    static
        Dims that have one size in the file, their default: ``"all"``, ``"all_but_batch"``, or names.
    attention, experts
        Implementations to trace with, for models of Transformers': ``"eager"``, ``"sdpa"``; ``"batched_mm"``. Where not
        given: the model's own, and others where exporting that fails.
    rewrite
        Whether functions of the model may run with rewritten code during the trace, so that sizes stay symbolic.
    """
    if exporter not in ("dynamo", "torchscript"):
        raise OptionError(f"exporter={exporter!r} is none: use 'dynamo' or 'torchscript'.")
    spec, narrowing = fix_dims(spec, static)
    options = OnnxOptions(opset, exporter, external_data, optimize, weights, rewrite)
    write = _writer()
    notes: list[str] = []

    def attempt() -> None:
        notes[:] = write(model, spec, path, options)

    other = try_implementations(model, attempt, Implementations(attention, experts))
    return ExportResult(spec, (*narrowing, *([other] if other else []), *notes))


def _writer() -> Callable[[nn.Module, InputSpec, Path, OnnxOptions], tuple[str, ...]]:
    """Return what writes, which needs packages that PyTorch does not bring."""
    missing = next((name for name in ("onnx", "onnxscript") if find_spec(name) is None), None)
    if missing is not None:
        raise NotInstalledError(
            f"writing ONNX needs {missing}, which is not installed. Install it: pip install 'dummyio[onnx]'"
        )
    from dummyio_torch.exporting.write_onnx import write_onnx  # noqa: PLC0415 - it imports these packages

    return write_onnx
