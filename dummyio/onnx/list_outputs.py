"""The outputs of a model: all that its class returns, under the names that a file for ONNX has.

Three sources, in this order: the spec, for shapes as expressions of the inputs' dims; the source text of the class, for names and
order; and where that does not tell, runs of the model without values at several sizes, if PyTorch is installed.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeAlias

from dummyio.backend.result_names import separate_names
from dummyio.errors import DummyioError
from dummyio.huggingface.config.class_defaults import configuration_defaults
from dummyio.huggingface.config.configuration import Configuration
from dummyio.huggingface.source.returned_outputs import ReturnedField, returned_fields
from dummyio.input_spec import InputSpec
from dummyio.sources.axis_names import name_by_place, to_identifier
from dummyio.sources.input_names import is_present, present_name
from dummyio.spec.dims import Dim, Size, evaluate_size, is_static, substitute_dims
from dummyio.spec.dtypes import DType
from dummyio.spec.spec_data import OutputSpec

Observed: TypeAlias = dict[str, tuple[tuple[int, ...], DType]]
Observe: TypeAlias = Callable[[Mapping[str, int]], Observed]
"""From sizes to output → shape and dtype; raises an error of dummyio if the model cannot be run without values."""


class OutputWarning(UserWarning):
    """A model may return more than the outputs that are listed."""


_MOST_PROBES = 2


def list_outputs(
    spec: InputSpec,
    class_name: str | None,
    configuration: Configuration | None,
    observe: Observe,
    caches: Callable[[], InputSpec | None],
) -> tuple[OutputSpec, ...]:
    """Return all outputs that a model returns, in its order; a cache by its tensors.

    Parameters
    ----------
    spec
        The inputs, and the outputs whose shapes are known.
    class_name, configuration
        The class of a Transformers model; None for any other model, whose outputs are observed.
    observe
        Runs the model without values.
    caches
        Describes the same model with a past; None if it takes none.
    """
    known = {output.name: output for output in spec.outputs}
    names = None
    if class_name is not None and configuration is not None:
        created = () if _presents(spec) or not creates_cache(configuration) else _describe_created(spec, caches())
        known |= {output.name: output for output in created}
        names = _read_names(spec, class_name, configuration, [output.name for output in created])
    if names is None:
        seen = _observe_all(spec, observe)
        if seen is None:
            if class_name is None or configuration is None:
                return spec.outputs
            return _collect(spec, known, _list_known_names(spec, class_name, configuration))
        observed = [_find_symbols(spec, name, seen) for name in seen[0][1]]
        names = [output.name for output in observed]
        known = {**{output.name: output for output in observed}, **_complete(known, observed)}
    return _collect(spec, known, names)


def _collect(spec: InputSpec, known: Mapping[str, OutputSpec], names: Iterable[str]) -> tuple[OutputSpec, ...]:
    dtype = next((output.dtype for output in spec.outputs if output.name not in _presents(spec)), DType.FLOAT32)
    if _presents(spec):  # in one step of a decoder, what the encoder returned is an input
        names = [name for name in names if not name.startswith("encoder_") and not is_present(name)]
    found = [known.get(name) or OutputSpec(name, None, dtype) for name in names]
    return (*found, *(known[name] for name in _presents(spec)))


def creates_cache(configuration: Configuration) -> bool:
    """Whether a model returns a cache without being asked or given one, if its class has an output for it."""
    config = configuration.normalized({})
    decodes = config.raw("is_encoder_decoder") is True or config.raw("is_decoder") is not False
    return config.raw("use_cache") is True and decodes


def _describe_created(spec: InputSpec, with_past: InputSpec | None) -> tuple[OutputSpec, ...]:
    """Return the tensors of the cache that a model creates: those of a past, as long as the new tokens or the encoder's states."""
    if with_past is None:
        return ()
    no_past = {dim: 0 for dim in with_past.dims if dim.startswith("past_")}
    continued = {output.name: output.shape for output in with_past.outputs}
    created = []
    for path, leaf in with_past.leaves:
        name = present_name(path)
        if name is not None:  # a tensor that a later step does not return again is that of an encoder
            sizes = (substitute_dims(size, no_past) for size in continued.get(name) or leaf.shape)
            created.append(OutputSpec(name, tuple(_take_dim(spec, size) for size in sizes), leaf.dtype))
    return tuple(created)


def _take_dim(spec: InputSpec, size: Size) -> Size:
    """Return the dim of that name in a spec, if it has one: another description may have other bounds for it."""
    return spec.dims.get(size.name, size) if isinstance(size, Dim) else size


def _list_known_names(spec: InputSpec, class_name: str, configuration: Configuration) -> list[str]:
    """Return the outputs that a class returns for sure, and warn that there may be more of them."""
    fields = _read_fields(spec, class_name, configuration)
    names = [output.name for output in spec.outputs]
    if fields:
        names = [name for name, each in _iterate_tensors(fields) if each.sure and each.kind in ("tensor", "tensors")]
    warnings.warn(
        f"{class_name}: its source text does not tell all that it returns, and it does not run without values. Outputs that are known: "
        f"{', '.join(names) or 'none'}. Give the live model to get all of them.",
        OutputWarning,
        stacklevel=2,
    )
    return names


def _presents(spec: InputSpec) -> tuple[str, ...]:
    return tuple(output.name for output in spec.outputs if is_present(output.name))


def _complete(known: Mapping[str, OutputSpec], observed: Iterable[OutputSpec]) -> dict[str, OutputSpec]:
    """Return the declared outputs without those of which a run tells more, or another rank."""
    ranks = {output.name: len(output.shape or ()) for output in observed}
    return {
        name: output
        for name, output in known.items()
        if name not in ranks or (output.shape is not None and len(output.shape) == ranks[name])
    }


def _read_names(
    spec: InputSpec, class_name: str, configuration: Configuration, created: Sequence[str]
) -> list[str] | None:
    """Return the names of all tensors that a class returns, `created` for a cache; None if its text does not tell."""
    fields = _read_fields(spec, class_name, configuration)
    leaves = None if fields is None else list(_iterate_tensors(fields))
    if leaves is None or any(not field.sure or field.kind in ("tensors", "output") for _, field in leaves):
        return None
    names = ([name] if field.kind == "tensor" else created if field.kind == "cache" else [] for name, field in leaves)
    return list(chain.from_iterable(names)) or None


def _read_fields(spec: InputSpec, class_name: str, configuration: Configuration) -> tuple[ReturnedField, ...] | None:
    kind = configuration.model_type
    values = {**(configuration_defaults(kind or "") or {}), **configuration.values}
    switches = frozenset((name, value) for name, value in values.items() if isinstance(value, bool))
    return returned_fields(class_name, kind, frozenset(spec), switches)


def _iterate_tensors(fields: Iterable[ReturnedField], path: str = "") -> Iterator[tuple[str, ReturnedField]]:
    for field in fields:
        if field.kind == "output" and field.inner:
            yield from _iterate_tensors(field.inner, f"{path}{field.name}.")
        else:
            yield f"{path}{field.name}", field


def _observe_all(spec: InputSpec, observe: Observe) -> list[tuple[dict[str, int], Observed]] | None:
    """Return sizes and what a model returns at them, at the sizes of the probe plan that it takes; None if it cannot be run."""
    found: list[tuple[dict[str, int], Observed]] = []
    for sizes in ({}, *spec.probes()[:_MOST_PROBES]):
        try:
            full = spec.sizes(**sizes)
            found.append((full, observe(full)))
        except DummyioError:  # a size that the model does not take, or a model that needs values
            if not found:
                return None
    return [(sizes, each) for sizes, each in found if set(each) == set(found[0][1])]


def _find_symbols(spec: InputSpec, name: str, seen: Sequence[tuple[Mapping[str, int], Observed]]) -> OutputSpec:
    """Return an output with a size of the inputs in each axis that follows it in all runs; a symbol of its own in others."""
    shapes = [each[name][0] for _, each in seen]
    dtype = seen[0][1][name][1]
    # One run does not tell sizes that follow an input from those that do not.
    if len({len(shape) for shape in shapes}) != 1 or (len(seen) == 1 and spec.dims):
        return OutputSpec(name, None, dtype)
    expressions = list(dict.fromkeys(size for _, leaf in spec.leaves for size in leaf.shape if not is_static(size)))
    axes: list[Size] = []
    for axis, sizes in enumerate(zip(*shapes, strict=True)):
        found = next((size for size in expressions if _follows(size, sizes, [each for each, _ in seen])), None)
        own = sizes[0] if len(set(sizes)) == 1 else Dim(to_identifier(name_by_place(name, axis)), sizes[0], min=0)
        axes.append(own if found is None else found)
    return OutputSpec(name, tuple(axes), dtype)


def _follows(size: Size, seen: Sequence[int], sizes: Sequence[Mapping[str, int]]) -> bool:
    expected = [evaluate_size(size, each) for each in sizes]
    return expected == list(seen) and len(set(expected)) > 1


def name_outputs(spec: InputSpec, outputs: tuple[OutputSpec, ...]) -> Mapping[str, str]:
    """Return output of the model → its name in a file, for those whose own name is that of an input too."""
    names = separate_names([output.name for output in outputs], [path for path, _ in spec.leaves])
    return {own: name for own, name in names.items() if own != name}


def name_axes(output: OutputSpec) -> dict[int, str]:
    """Return axis → symbol for the dynamic axes of an output; none if its shape is not known."""
    return {axis: str(size) for axis, size in enumerate(output.shape or ()) if not is_static(size)}
