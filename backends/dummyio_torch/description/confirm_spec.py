"""The last word: the spec's own shapes at the sizes of its probe plan, and its own values where they are cheap to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from torch import nn

from dummyio.errors import DimError, SourceError
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim
from dummyio_torch.calling.meta_copy import MetaCopy, iterate_weights
from dummyio_torch.description.build_spec import Provenance
from dummyio_torch.discovery.search import LayoutTrial, Run

__all__ = ["confirm_spec", "restrict_dims"]

_SMALL = 1 << 22
"""As many weights a module may have to be run once with the spec's values."""
_TRIES = 24


def restrict_dims(spec: InputSpec, trial: LayoutTrial, run: Run) -> InputSpec:
    """Return the spec with its symbols bounded to the sizes of its probe plan at which the module runs."""
    for _ in range(_TRIES):
        bad = next((sizes for sizes in spec.probes() if not _fits(spec, trial, run, sizes)), None)
        if bad is None:
            break
        smaller = _bounded(spec, trial, run, bad)
        if smaller is None:
            break
        spec = smaller
    return spec


def _fits(spec: InputSpec, trial: LayoutTrial, run: Run, sizes: Mapping[str, int]) -> bool:
    shapes = spec.shapes(dict(sizes))
    new = dict(run.layout.sizes)
    for path, leaf in run.layout.leaves.items():
        new.update(zip(leaf.axes, shapes[path], strict=True))
    # A run that is too long to finish shows no fault.
    return trial.passes(replace(run.layout, sizes=new), most=50 * run.count + 2000) is not False


def _bounded(spec: InputSpec, trial: LayoutTrial, run: Run, bad: Mapping[str, int]) -> InputSpec | None:
    """Return the spec with one symbol bounded: the first that mends these sizes where it has its default."""
    base = spec.sizes()
    for name, size in bad.items():
        default = base[name]
        if size != default and _fits(spec, trial, run, {**bad, name: default}):
            old = spec.dims[name]
            new = replace(old, min=default) if size < default else replace(old, max=default)
            try:
                return spec.with_dims(**{name: new})
            except DimError:
                return None
    changed = {name: Dim(name, base[name], base[name], base[name]) for name, size in bad.items() if size != base[name]}
    return spec.with_dims(**changed) if changed else None


def confirm_spec(
    module: nn.Module, trial: LayoutTrial, paths: Mapping[str, int], write: Callable[[], InputSpec], notes: Provenance
) -> InputSpec:
    """Return the spec that `write` gives, after a run of a copy on the CPU with its values, where the module is small.

    `paths` are ids that index a table after arithmetic, with its rows: they are halved until they fit.

    Raises
    ------
    SourceError
        where the module refuses the values.
    """
    spec = write()
    if sum(tensor.numel() for tensor in iterate_weights(module)) > _SMALL or any(
        tensor.is_meta for tensor in iterate_weights(module)
    ):
        return spec
    shadow = MetaCopy(module, "real")
    rows = dict(paths)
    while True:
        error = _run(shadow, trial, spec)
        if error is None:
            return spec
        if isinstance(error, NotImplementedError) or "not implemented" in str(error):
            notes.add("inputs", f"not run with values on the CPU, which lacks an operation ({error})")
            return write()
        if not rows or max(rows.values()) <= 1:
            text = " ".join(str(error).split())[:300]
            raise SourceError(
                f"{type(module).__name__} takes inputs of the shapes found, and refuses the values chosen for them "
                f"({type(error).__name__}: {text}). Record calls of it with dummyio.capture, or describe its inputs by hand "
                "with InputSpec."
            ) from error
        rows = {path: max(high // 2, 1) for path, high in rows.items()}
        notes.most.update(rows)
        spec = write()


def _run(shadow: MetaCopy, trial: LayoutTrial, spec: InputSpec) -> Exception | None:
    made: dict[str, Any] = spec.generate("pt", device="cpu")
    try:
        shadow.run(nullcontext(), trial.positional, {**made, **trial.constants})
    except Exception as error:  # noqa: BLE001 - whatever the module raises
        return error
    return None
