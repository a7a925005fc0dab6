"""The inputs of a module that generators of the user's describe; a search finds the others that the module needs.

The spec is confirmed by one run of a copy of the module: with its values if the module is small, else without values.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from torch import nn

from dummyio.backend.frameworks import qualified_name
from dummyio.errors import DimError, OptionError, SourceError, format_error_line
from dummyio.generators.base.context import Context, build_context
from dummyio.generators.own_inputs import check_given_names, find_own_generator, list_added_names, name_generators
from dummyio.generators.registry import OPTIONS
from dummyio.input_spec import InputSpec
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.spec.dims import Dim, Size, find_dims, is_static
from dummyio.spec.tensor_spec import Nest, Node, TensorSpec, replace_dims
from dummyio_torch.calling.meta_copy import MetaCopy, has_small_weights
from dummyio_torch.description.signature_arguments import Argument

TASK = "feature-extraction"
"""The task that generators get for a module without one."""
_MAX_WEIGHTS = 1 << 22
"""Weights of a module that is run once with the spec's values."""


def describe_by_generators(
    module: nn.Module,
    arguments: Sequence[Argument],
    kinds: tuple[type, ...],
    given: Sequence[type],
    keywords: Mapping[str, Any],
    search: Callable[[Mapping[str, Any]], InputSpec],
) -> InputSpec | None:
    """Return the spec of a module whose inputs generators describe; None if they describe none.

    Parameters
    ----------
    module, arguments
        The module, and the arguments that can be inputs.
    kinds, given
        The classes to ask, and those of them that are given to this description.
    keywords
        Sizes and options.
    search
        Returns the spec that a search finds, with shapes of some inputs prescribed; called if the module needs others too.

    Raises
    ------
    OptionError
        If a class fails, describes no argument, or contradicts what the module takes.
    SourceError
        If the module refuses the inputs.
    """
    label, names = type(module).__name__, [argument.name for argument in arguments]
    check_given_names(given, names, label)
    config = getattr(module, "config", None)
    context = build_context(
        TASK, NormalizedConfig.of({} if config is None else config), keywords, OPTIONS, own_generators=kinds
    )
    own = _describe_arguments(context, arguments)
    if not own:
        return None
    others = [argument.name for argument in arguments if argument.required and argument.name not in own]
    found = search({name: _list_axes(name, node, others) for name, node in own.items()}) if others else None
    if found is not None:
        own = {name: _reconcile(name, node, found) for name, node in own.items()}
    searched = {} if found is None else dict(found)
    inputs = {name: {**searched, **own}[name] for name in names if name in own or name in searched}
    notes = {f"input {name}": "described by a generator of the caller" for name in own}
    provenance = {
        "source": qualified_name(module),
        "names": f"forward signature of {label}",
        **(found.provenance if found else {}),
        **notes,
    }
    with name_generators(kinds):
        return InputSpec(inputs, provenance=provenance)


def _describe_arguments(context: Context, arguments: Sequence[Argument]) -> dict[str, Node]:
    offered = [argument.name for argument in arguments]
    added = list_added_names(context, offered)
    needed = [argument.name for argument in arguments if argument.required]
    names = [name for name in offered if name in added or (name in needed and find_own_generator(name, context))]
    context = replace(context, names=frozenset({*names, *needed}))
    found: dict[str, Node] = {}
    for name in names:
        generator = find_own_generator(name, context)
        if generator is not None:
            found[name] = generator.spec(name)
    return found


def _list_axes(name: str, node: Node, others: Sequence[str]) -> list[int | str | None]:
    if isinstance(node, Nest):
        raise OptionError(
            f"{name} is a container, and no generator describes {', '.join(others)}, which the module needs too: give generators "
            "for all arguments of this module."
        )
    return [size.name if isinstance(size, Dim) else size if isinstance(size, int) else None for size in node.shape]


def _reconcile(name: str, node: Node, found: InputSpec) -> Node:
    """Return a description with the dims, and so the bounds, that a search has found for it; raise `OptionError` if they differ."""
    other = found.get(name)
    assert isinstance(node, TensorSpec)
    if other is None or (isinstance(other, TensorSpec) and all(map(_agree, node.shape, other.shape))):
        dims = {dim.name: dim for size in node.shape for dim in find_dims(size)}
        return replace_dims(
            node, dims, {each: _resize(found.dims[each], dims[each].size) for each in dims if each in found.dims}
        )
    raise OptionError(f"{name} is described as {node}, and the module takes {other}. Correct the generator.")


def _resize(dim: Dim, size: int) -> Dim:
    """Return a dim with another default size, if it can take that."""
    try:
        return replace(dim, size=size)
    except DimError:
        return dim


def _agree(own: Size, found: Size) -> bool:
    if isinstance(own, Dim):
        return isinstance(found, Dim) and found.name == own.name
    return own == found if isinstance(own, int) else not is_static(found)


def confirm_inputs(
    module: nn.Module, spec: InputSpec, positional: tuple[str, ...], constants: Mapping[str, Any]
) -> None:
    """Run a copy of a module once; raise `SourceError` if it refuses the inputs of a spec."""
    small = has_small_weights(module, _MAX_WEIGHTS)
    copy = MetaCopy(module, "real" if small else "meta")
    try:
        inputs = spec.generate("pt", device="cpu" if small else "meta")
        copy.run(nullcontext(), positional, {**inputs, **constants})
    except NotImplementedError:
        return  # an operation that the CPU, or a tensor without values, lacks
    except Exception as error:
        shapes = "; ".join(f"{path} {leaf}" for path, leaf in spec.leaves)
        raise SourceError(
            f"{type(module).__name__} refuses the inputs that its generators describe ({format_error_line(error)}): {shapes}. "
            "Correct the generators."
        ) from error
