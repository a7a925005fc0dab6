"""Shapes and bounds of single inputs that a caller sets among the sizes: ``pixels=[2, 3, 64, 64]``, ``ids.max=100``."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dummyio.errors import DimError, DummyioError, OptionError, suggest_names
from dummyio.input_spec import InputSpec
from dummyio.model_config.attribute_types import shorten_value
from dummyio.sources.proof.spec_changes import map_leaves
from dummyio.sources.written.value_bounds import Number, bound_values
from dummyio.spec.dims import Dim, Size, evaluate_size, find_dims

Describe = Callable[[Mapping[str, Any]], InputSpec]
"""From sizes and options to a description."""
_ENDS = (".min", ".max")
_FREE = ("?", None)


def describe_as_set(describe: Describe, given: dict[str, Any]) -> tuple[InputSpec, dict[str, Any]]:
    """Return the description with the shapes and bounds that are set, and the sizes and options, those of shapes included.

    Parameters
    ----------
    describe
        The reader.
    given
        Sizes and options by name. A list of sizes under the name of an input is its shape, with ``?`` or None for an axis that is
        left as it is; ``<input>.min`` and ``<input>.max`` are the smallest and the largest of its values.

    Raises
    ------
    OptionError
        if no input has the name, a shape contradicts the model or another shape, or a bound is not a number that the input can
        have.
    """
    shapes = {name: tuple(value) for name, value in given.items() if _is_shape(name, value)}
    bounds = {name: value for name, value in given.items() if name.endswith(_ENDS) and len(name) > len(".max")}
    rest = {name: value for name, value in given.items() if name not in shapes and name not in bounds}
    if not shapes and not bounds:
        return describe(given), given
    spec, shapes, rest = _describe_with_shapes(describe, shapes, rest, given)
    sizes = _find_sizes(spec, shapes, rest)
    spec = _bound_inputs(spec.with_dims(**sizes) if sizes else spec, bounds)
    return spec, {**rest, **sizes}


def _is_shape(name: str, value: Any) -> bool:
    return (
        isinstance(value, list)
        and not name.startswith("random_")
        and name not in ("args", "feed", "leave_out", "custom_ops")
        and all(size in _FREE or (type(size) is int and size >= 0) for size in value)
    )


def _describe_with_shapes(
    describe: Describe, shapes: dict[str, tuple[Any, ...]], rest: dict[str, Any], given: Mapping[str, Any]
) -> tuple[InputSpec, dict[str, tuple[Any, ...]], dict[str, Any]]:
    """Return the description, the shapes of its inputs, and the options: a list may be an option of the model, too."""
    try:
        spec = describe(rest)
    except DummyioError as error:
        found = _describe_otherwise(describe, shapes, rest, given) if shapes else None
        if found is None:
            raise error from None
        return found
    paths = {path for path, _ in spec.leaves}
    named = {path: shape for name, shape in shapes.items() if (path := _find_path(name, paths)) is not None}
    options = {name: given[name] for name in shapes if _find_path(name, paths) is None}
    if options:
        try:
            spec = describe({**rest, **options})
        except OptionError as error:
            name = next(iter(options))
            raise OptionError(f"{error} Nor is an input named {name!r}. {suggest_names(name, paths)}") from error
    return spec, named, {**rest, **options}


def _describe_otherwise(
    describe: Describe, shapes: dict[str, tuple[Any, ...]], rest: dict[str, Any], given: Mapping[str, Any]
) -> tuple[InputSpec, dict[str, tuple[Any, ...]], dict[str, Any]] | None:
    """Return the result of `_describe_with_shapes` for a model that lacks an option, or the number of an input's axes; None if it fails."""
    options = {**rest, **{name: given[name] for name in shapes}}
    try:
        return describe(options), {}, options
    except DummyioError:
        pass
    own = rest.get("shapes", {})
    if not isinstance(own, Mapping):  # the reader says what is wrong with it
        return None
    ranks = {name: (None,) * len(shape) for name, shape in shapes.items()}
    options = {**rest, "shapes": {**ranks, **own}}
    try:
        return describe(options), shapes, options
    except DummyioError:
        return None


def _find_path(name: str, paths: set[str]) -> str | None:
    """Return the input of a name, in which the command line writes ``_`` for ``-``."""
    alike = [path for path in paths if path.replace("-", "_") == name]
    return name if name in paths else alike[0] if len(alike) == 1 else None


def _find_sizes(spec: InputSpec, shapes: Mapping[str, Sequence[Any]], given: Mapping[str, Any]) -> dict[str, int]:
    """Return the size of each dim that the shapes need."""
    leaves = dict(spec.leaves)
    known = {name: value for name, value in given.items() if name in spec.dims and type(value) is int}
    found: dict[str, int] = {}
    for path, shape in shapes.items():
        text = f"{path}={_write_shape(shape)}"
        own = leaves[path].shape
        if len(shape) != len(own):
            raise OptionError(
                f"{text}: this input has {len(own)} axes, {_write_shape(own)}. Give a size, or ?, for each of them."
            )
        pairs = sorted(zip(own, shape, strict=True), key=lambda pair: not isinstance(pair[0], Dim))
        for size, wanted in pairs:
            if wanted not in _FREE:
                _add_size(text, size, wanted, found, known)
    return found


def _add_size(text: str, size: Size, wanted: int, found: dict[str, int], known: Mapping[str, int]) -> None:
    """Enter the size of a dim that makes an axis as long as it is wanted."""
    sizes = {**known, **found}
    free = [dim for dim in find_dims(size) if dim.name not in sizes]
    if free:
        solved = _solve(size, free[0], wanted, sizes)
        if solved is None:
            raise OptionError(f"{text}: no {free[0].name} makes {size} equal to {wanted}. Give another size.")
        found[free[0].name] = free[0].check(solved)
    elif evaluate_size(size, sizes) != wanted:
        is_fixed = not find_dims(size)
        why = f"the model has {size} there" if is_fixed else f"{size} is {evaluate_size(size, sizes)} already"
        raise OptionError(f"{text}: an axis cannot have the size {wanted}, because {why}. Give that size.")


def _solve(size: Size, dim: Dim, wanted: int, sizes: Mapping[str, int]) -> int | None:
    """Return the size of a dim with which an expression has the wanted value, at the default sizes of others; None if none has."""
    if size == dim:
        return wanted
    others = {**{other.name: other.size for other in find_dims(size)}, **sizes}

    def evaluate(at: int) -> int | None:
        try:
            return evaluate_size(size, {**others, dim.name: at})
        except (DimError, ZeroDivisionError):
            return None

    near = [dim.size, wanted]
    first, second = (evaluate(at) for at in (dim.size, dim.size + 1))
    if first is not None and second is not None and second != first:
        near.append(dim.size + (wanted - first) // (second - first))
    return next((at for at in near if at >= 0 and evaluate(at) == wanted), None)


def _bound_inputs(spec: InputSpec, bounds: Mapping[str, Any]) -> InputSpec:
    """Return the spec with bounds of values."""
    if not bounds:
        return spec
    paths = {path for path, _ in spec.leaves}
    ends: dict[str, dict[str, Number]] = {}
    for name, value in bounds.items():
        path = _find_path(name[: -len(".max")], paths)
        if path is None:
            own = name[: -len(".max")]
            raise OptionError(
                f"{name}={shorten_value(value)}: no input of this model has that name. {suggest_names(own, paths)}"
            )
        ends.setdefault(path, {})[name[-len("max") :]] = _to_number(name, value)
    found = map_leaves(
        spec,
        lambda path, leaf: (
            bound_values(path, leaf, ends[path].get("min"), ends[path].get("max")) if path in ends else leaf
        ),
    )
    notes = {f"input {path}": "its bounds are set by the caller" for path in ends}
    provenance = {**found.provenance, **notes}
    return InputSpec(dict(found), task=found.task, outputs=found.outputs, provenance=provenance, proof=found.proof)


def _to_number(name: str, value: Any) -> Number:
    try:
        if isinstance(value, bool):
            raise TypeError
        number = value if isinstance(value, int) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise OptionError(f"{name}={shorten_value(value)} is not a number: give the bound of an input's values.")
    return number


def _write_shape(shape: Sequence[Any]) -> str:
    return f"[{', '.join('?' if size is None else str(size) for size in shape)}]"
