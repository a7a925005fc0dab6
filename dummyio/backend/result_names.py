"""Names for model outputs, identical in every framework, so that a reference and its export can be compared by name."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

_NAMELESS = "output"
_APART = "out_"
"""The prefix of an output that has the name of an input, as in Optimum's files."""

Expand = Callable[[Any, str], Mapping[str, Any] | None]


def name_outputs(result: Any, declared: Sequence[str] = (), expand: Expand | None = None) -> dict[str, Any]:
    """Return name → tensor for any return value of a model, in order.

    A name is the keys and indices of a tensor joined by dots. If no tensor has a key, the names are `declared` if their
    number matches, else ``output`` (a single tensor) or ``output_0``, ``output_1`` ... None is left out.

    Parameters
    ----------
    result
        A tensor, or dicts, lists, tuples and dataclasses of tensors.
    declared
        The output names of a spec.
    expand
        Turns a framework's own container, given with its path, into full name → tensor; None for other objects.
    """
    leaves = list(_leaves(result, "", expand))
    if len(leaves) == len(declared) and all(path == "" or path.startswith("_") for path, _ in leaves):
        return dict(zip(declared, (value for _, value in leaves), strict=True))
    return {f"{_NAMELESS}{path}" if path == "" or path.startswith("_") else path: value for path, value in leaves}


def separate_names(outputs: Sequence[str], inputs: Collection[str]) -> dict[str, str]:
    """Return output → its name in a file, in which no two values have one name: ``out_sample`` for the input ``sample``."""
    taken = {*inputs, *outputs}
    names: dict[str, str] = {}
    for output in outputs:
        names[output] = output
        if output in inputs:
            while names[output] in taken:
                names[output] = f"{_APART}{names[output]}"
            taken.add(names[output])
    return names


def _leaves(result: Any, path: str, expand: Expand | None) -> Iterator[tuple[str, Any]]:
    """Yield path → tensor; a path that starts with an index of the result itself begins with an underscore."""
    if result is None:
        return
    own = None if expand is None else expand(result, path)
    if own is not None:
        yield from own.items()
    elif isinstance(result, Mapping):
        for key, value in result.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key), expand)
    elif isinstance(result, (list, tuple)):
        names = getattr(result, "_fields", None) or [str(index) for index in range(len(result))]
        for name, value in zip(names, result, strict=True):
            yield from _leaves(value, f"{path}.{name}" if path else f"_{name}" if name.isdecimal() else name, expand)
    elif is_dataclass(result) and not isinstance(result, type):
        yield from _leaves({field.name: getattr(result, field.name) for field in fields(result)}, path, expand)
    else:
        yield path, result
