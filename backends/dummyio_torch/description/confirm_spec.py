"""Confirms a spec: runs at the shapes of its probe plan, and with its values if the module is small."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace

from torch import nn

from dummyio.errors import DimError, SourceError, format_error_line
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim
from dummyio_torch.calling.meta_copy import MetaCopy, iterate_weights
from dummyio_torch.description.build_spec import Provenance
from dummyio_torch.discovery.search import LayoutTrial, Run

_MAX_WEIGHTS = 1 << 22
"""Weights of a module that is run once with the spec's values."""
_TRIES = 24


def restrict_dims(spec: InputSpec, trial: LayoutTrial, run: Run) -> InputSpec:
    """Return the spec with its dims bounded to the sizes of its probe plan at which the module runs."""
    for _ in range(_TRIES):
        bad = next((sizes for sizes in spec.probes() if not _takes_sizes(spec, trial, run, sizes)), None)
        if bad is None:
            break
        smaller = _bound_one_dim(spec, trial, run, bad)
        if smaller is None:
            break
        spec = smaller
    return spec


def _takes_sizes(spec: InputSpec, trial: LayoutTrial, run: Run, sizes: Mapping[str, int]) -> bool:
    shapes = spec.shapes(dict(sizes))
    new = dict(run.layout.sizes)
    for path, leaf in run.layout.leaves.items():
        new.update(zip(leaf.axes, shapes[path], strict=True))
    # A run that is too long to finish shows no fault.
    return trial.passes(replace(run.layout, sizes=new), most=50 * run.count + 2000) is not False


def _bound_one_dim(spec: InputSpec, trial: LayoutTrial, run: Run, bad: Mapping[str, int]) -> InputSpec | None:
    """Return the spec with one dim bounded: the first whose default makes these sizes work."""
    base = spec.sizes()
    for name, size in bad.items():
        default = base[name]
        if size != default and _takes_sizes(spec, trial, run, {**bad, name: default}):
            old = spec.dims[name]
            new = replace(old, min=default) if size < default else replace(old, max=default)
            try:
                return spec.with_dims(**{name: new})
            except DimError:
                return None
    changed = {name: Dim.static(name, base[name]) for name, size in bad.items() if size != base[name]}
    return spec.with_dims(**changed) if changed else None


def confirm_spec(
    module: nn.Module, trial: LayoutTrial, rows: Mapping[str, int], write: Callable[[], InputSpec], notes: Provenance
) -> InputSpec:
    """Return the spec after a run of a copy on the CPU with its values, if the module is small.

    Parameters
    ----------
    module, trial
        The module, and its copy without memory.
    rows
        Ids that index a table after arithmetic → its rows; they are halved until the module takes the ids.
    write
        Builds the spec.
    notes
        Holds the limits of ids that `write` takes into account.

    Raises
    ------
    SourceError
        If the module refuses the values.
    """
    spec = write()
    if not has_small_weights(module, _MAX_WEIGHTS):
        return spec
    shadow = MetaCopy(module, "real")
    high = dict(rows)
    while True:
        error = _run(shadow, trial, spec)
        if error is None:
            return spec
        if isinstance(error, NotImplementedError) or "not implemented" in str(error):
            notes.add("inputs", f"not run with values on the CPU, which lacks an operation ({error})")
            return write()
        if max(high.values(), default=1) <= 1:
            raise SourceError(
                f"{type(module).__name__} takes inputs of the shapes found, and refuses the values chosen for them "
                f"({format_error_line(error)}). Record calls of it with dummyio.capture, or describe its inputs by hand "
                "with InputSpec."
            ) from error
        high = {path: max(most // 2, 1) for path, most in high.items()}
        notes.highest.update(high)
        spec = write()


def has_small_weights(module: nn.Module, most: int) -> bool:
    """Whether a module has at most so many weights, all of them with memory."""
    weights = list(iterate_weights(module))
    return sum(tensor.numel() for tensor in weights) <= most and not any(tensor.is_meta for tensor in weights)


def _run(shadow: MetaCopy, trial: LayoutTrial, spec: InputSpec) -> Exception | None:
    try:
        shadow.run(nullcontext(), trial.positional, {**spec.generate("pt", device="cpu"), **trial.constants})
    except Exception as error:  # noqa: BLE001 - a module may raise anything
        return error
    return None
