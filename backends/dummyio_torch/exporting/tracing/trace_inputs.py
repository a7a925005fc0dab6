"""The inputs of a trace: a module of flat inputs and outputs, and sizes from which an exporter cannot infer anything.

PyTorch's exporters specialize a size of 1; two sizes that are equal, or equal to a constant of the model, can be taken for each
other. So a trace has sizes of 2 and up, all of them different, and none that the weights or the configuration of the model
have, if the bounds in the spec permit it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import nn
from torch.export import Dim as Axis

from dummyio.backend.frameworks import qualified_name
from dummyio.backend.result_names import separate_names
from dummyio.errors import ExportError, format_error_line
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim, Size, collect_dims, evaluate_size, is_static
from dummyio.spec.probe_plan import sizes_are_valid
from dummyio_torch.calling.array_conversion import to_tensors
from dummyio_torch.calling.call_module import ModuleCall, device_of
from dummyio_torch.calling.private_copy import record_state, restore_state
from dummyio_torch.dtypes import to_native

T = TypeVar("T")

_TRIES = 64
_REACH = 512
"""A trace is at most this much longer than the default sizes: it costs as much as a run."""


class FlatModule(nn.Module):
    """A module that takes the tensors of a spec in order, and returns the named outputs in order.

    Its other arguments are not among the inputs: if an exporter gets a constant there, it loses the names of all dynamic axes.
    The module is the attribute ``model``, so that its parts keep their names after that prefix.
    """

    def __init__(self, call: ModuleCall, outputs: Sequence[str]) -> None:
        super().__init__()
        self.model = call.module
        self.training = False
        self.outputs = tuple(outputs)
        self.states_sizes = False
        """Whether a trace is told from the start which sizes are one dim, and their bounds; else it finds that where they meet."""
        self._call = call

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Call the module."""
        if self.states_sizes:
            for fact in self._iterate_facts(tensors):
                torch._check(fact)  # noqa: SLF001 - how models state facts of sizes
        # On copies: an input that is returned unchanged would be an output that is an input, which exporters rename; an input
        # that is written in place would become an extra output.
        leaves = {path: tensor.clone() for path, tensor in zip(self._call.paths, tensors, strict=True)}
        results = self._call(leaves)
        return tuple(results[name] for name in self.outputs)

    def has_facts(self) -> bool:
        """Return whether a dim is a size of several inputs, or has a largest size."""
        sizes = [size for _, _, size in iterate_dynamic_axes(self._call.spec)]
        return len(set(sizes)) < len(sizes) or any(isinstance(size, Dim) and size.max is not None for size in sizes)

    def _iterate_facts(self, tensors: Sequence[torch.Tensor]) -> Iterator[Any]:
        named = dict(zip(self._call.paths, tensors, strict=True))
        first: dict[Size, Any] = {}
        for path, axis, size in iterate_dynamic_axes(self._call.spec):
            found = named[path].shape[axis]
            if first.setdefault(size, found) is not found:
                yield first[size] == found
            elif isinstance(size, Dim) and size.max is not None:
                yield found <= size.max


def trace_program(
    flat: FlatModule, tensors: tuple[torch.Tensor, ...], spec: InputSpec, *, strict: bool = False
) -> torch.export.ExportedProgram:
    """Trace a flat module with `torch.export`; all axes that the spec leaves free are dynamic."""
    axes: dict[str, dict[int, Any]] = {path: {} for path, _ in spec.leaves}
    for path, axis, _ in iterate_dynamic_axes(spec):
        axes[path][axis] = Axis.DYNAMIC  # with names, torch.export refuses sizes that are equal or sums
    # No size is taken for one that may be 1, as in PyTorch's exporter to ONNX: fewer guards refuse small sizes.
    with torch.fx.experimental._config.patch(backed_size_oblivious=True):  # type: ignore[attr-defined] # noqa: SLF001
        return torch.export.export(flat, tensors, dynamic_shapes=(tuple(axes.values()),), strict=strict)


def trace_flat(flat: FlatModule, trace: Callable[[], T]) -> T:
    """Run a trace of a flat module; if it fails, run it once more and state which sizes are equal, and their bounds.

    A model that mixes the sizes of two inputs, such as their numbers of rows, or cuts a text into windows needs that; most do not, and have a
    plainer graph.
    """
    try:
        return trace()
    except Exception:
        if not flat.has_facts():
            raise
        flat.states_sizes = True
        try:
            return trace()
        except Exception:  # noqa: BLE001, S110 - the first reason counts
            pass
        finally:
            flat.states_sizes = False
        raise


def iterate_dynamic_axes(spec: InputSpec) -> Iterator[tuple[str, int, Size]]:
    """Yield the path, axis and size of each input axis that must stay dynamic."""
    for path, leaf in spec.leaves:
        for axis, size in enumerate(leaf.shape):
            if not is_static(size):
                yield path, axis, size


def find_output_names(
    call: ModuleCall,
    leaves: Mapping[str, torch.Tensor],
    check_dtype: Callable[[str, torch.dtype], None] = lambda _name, _dtype: None,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Run the module once and return the names of its results, and notes: on other names, and on buffers that the run changes.

    `check_dtype` raises `ExportError` for results of dtypes that the format does not have.

    Raises
    ------
    ExportError
        if it does not run, or returns no tensors.
    """
    state = record_state(call.module)
    try:
        results = call.run({path: tensor.clone() for path, tensor in leaves.items()})
    except Exception as error:
        shapes = ", ".join(f"{path} {list(tensor.shape)}" for path, tensor in leaves.items())
        raise ExportError(
            f"{qualified_name(call.module)} does not run on its own spec ({shapes}), so it cannot be traced: "
            f"{format_error_line(error)}"
        ) from error
    finally:
        changed = restore_state(call.module, state)
    if not results:
        raise ExportError(
            f"{qualified_name(call.module)} returns no tensors, so there is nothing to export. Return a tensor, "
            "or dicts, lists, tuples or dataclasses of tensors."
        )
    names = call.name_results(list(results))
    for own, name in names.items():
        check_dtype(name, results[own].dtype)
    renamed = [f"{own!r} is {name!r} in the file" for own, name in names.items() if own != name]
    notes = [f"names of outputs: {', '.join(renamed)}, {_explain_names(call, names)}"] if renamed else []
    if changed:
        notes.append(
            f"each run of the model changes its buffers ({', '.join(changed)}); each run of the file begins with their present values"
        )
    return tuple(names.values()), tuple(notes)


def _explain_names(call: ModuleCall, names: Mapping[str, str]) -> str:
    needed = separate_names(list(names), call.paths)
    return "since an input has that name" if names == needed else "as the spec declares"


def separate_outputs(spec: InputSpec) -> InputSpec:
    """Return a spec in which no output has the name of an input, as in the file."""
    names = separate_names([output.name for output in spec.outputs], [path for path, _ in spec.leaves])
    if all(own == name for own, name in names.items()):
        return spec
    outputs = tuple(replace(output, name=names[output.name]) for output in spec.outputs)
    return InputSpec(dict(spec), task=spec.task, outputs=outputs, provenance=spec.provenance, proof=spec.proof)


def make_trace_inputs(spec: InputSpec, module: nn.Module) -> dict[str, torch.Tensor]:
    """Return path → tensor for a trace, on the device of the weights; without memory if the weights have none."""
    return _make_inputs(spec, module, _choose_sizes(spec, module))


def make_other_inputs(spec: InputSpec, module: nn.Module) -> dict[str, torch.Tensor]:
    """Return inputs like `make_trace_inputs`, at other sizes, for the run before the trace.

    A module may keep something of that run, such as position ids for the length of its text. If that fitted the trace, it would
    become a constant.
    """
    other = spec.sizes() | _choose_distinct(_dynamic_dims(spec), set(_choose_sizes(spec, module).values()))
    return _make_inputs(spec, module, other if sizes_are_valid(spec, other) else spec.sizes())


def _make_inputs(spec: InputSpec, module: nn.Module, sizes: Mapping[str, int]) -> dict[str, torch.Tensor]:
    device = device_of(module)
    if device.type != "meta":
        return to_tensors(spec.feeds(**sizes), device)
    return {
        path: torch.empty(leaf.sizes(sizes), dtype=to_native(leaf.dtype), device=device) for path, leaf in spec.leaves
    }


def _choose_sizes(spec: InputSpec, module: nn.Module) -> dict[str, int]:
    """Return sizes of 2 and up, all different, those of expressions included, and none that is a constant of the model."""
    dims = _dynamic_dims(spec)
    dynamic = list(dict.fromkeys(size for _, _, size in iterate_dynamic_axes(spec)))
    static = {size for _, leaf in spec.leaves for size in leaf.shape if isinstance(size, int)}
    static |= {dim.size for dim in spec.dims.values() if dim.fixed}
    for avoided in (static | _model_constants(module), static, set[int]()):
        for start in range(_TRIES):
            sizes = spec.sizes() | _choose_distinct(dims, avoided, start)
            if _can_be_told_apart(spec, sizes, dynamic, avoided):
                return sizes
    return spec.probes()[0]


def _dynamic_dims(spec: InputSpec) -> list[Dim]:
    dims = collect_dims(size for _, leaf in spec.leaves for size in leaf.shape)
    return [dim for dim in dims.values() if not dim.fixed]


def _choose_distinct(dims: Sequence[Dim], avoided: set[int], start: int = 0) -> dict[str, int]:
    taken = set(avoided)
    sizes: dict[str, int] = {}
    for place, dim in enumerate(dims):
        candidates = [size for size in _candidate_sizes(dim) if size not in taken and size > 1]
        # Later tries leave out the first candidates, a different number of them for each dim.
        left = candidates[(start * (place + 1)) // 2 :] or candidates
        sizes[dim.name] = left[0] if left else dim.size
        taken.add(sizes[dim.name])
    return sizes


def _candidate_sizes(dim: Dim) -> list[int]:
    """Return the sizes that a dim takes: first those just above its default, last small ones and those at its bounds.

    At the bounds a model may take a special path, such as for an image that need not be resized.
    """
    if dim.choices is not None:
        sizes: list[int] = [size for size in dim.choices if dim.takes(size)]
    else:
        step = dim.multiple_of
        low = -(-max(dim.min, dim.size - _REACH) // step) * step
        high = min(dim.size + _REACH * step, dim.max if dim.max is not None else dim.size + _REACH * step)
        sizes = list(range(low, high + 1, step))
    bounds = (dim.min, dim.max)
    return sorted(sizes, key=lambda size: (size < 3, size in bounds, size < dim.size, abs(size - dim.size)))


def _can_be_told_apart(spec: InputSpec, sizes: Mapping[str, int], dynamic: Sequence[Size], avoided: set[int]) -> bool:
    if not sizes_are_valid(spec, sizes):
        return False
    values = [evaluate_size(size, sizes) for size in dynamic]
    return len(set(values)) == len(values) and min(values, default=2) > 1 and not avoided & set(values)


def _model_constants(module: nn.Module) -> set[int]:
    """Return the sizes of a module's weights and the numbers in its configuration."""
    sizes = {size for tensor in (*module.parameters(), *module.buffers()) for size in tensor.shape}
    to_dict: Callable[[], Any] | None = getattr(getattr(module, "config", None), "to_dict", None)
    return sizes | (set(_iterate_numbers(to_dict())) if callable(to_dict) else set())


def _iterate_numbers(values: Any) -> Iterator[int]:
    if isinstance(values, Mapping):
        values = list(values.values())
    if isinstance(values, (list, tuple)):
        for value in values:
            yield from _iterate_numbers(value)
    elif isinstance(values, int) and not isinstance(values, bool):
        yield values
