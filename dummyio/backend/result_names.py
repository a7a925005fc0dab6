"""Names for model outputs, identical in every framework, so that a reference and its export can be compared by name."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

_NAMELESS = "output"

Expand = Callable[[Any, str], Mapping[str, Any] | None]


def name_outputs(result: Any, declared: Sequence[str] = (), expand: Expand | None = None) -> dict[str, Any]:
    """Return name → tensor for any return value of a model, in order.

    A name is the keys and indices of a tensor joined by dots. If no tensor has a key, the names are `declared` if their
    number matches, else ``output`` (a single tensor) or ``output_0``, ``output_1`` ... None is left out.

    Parameters
    ----------
    result
        A tensor, or dicts, lists and tuples of tensors.
    declared
        The output names of a spec.
    expand
        Turns a framework's own container, given with its path, into full name → tensor; None for other objects.
    """
    leaves = list(_leaves(result, "", expand))
    if len(leaves) == len(declared) and all(path == "" or path.startswith("_") for path, _ in leaves):
        return dict(zip(declared, (value for _, value in leaves), strict=True))
    return {f"{_NAMELESS}{path}" if path == "" or path.startswith("_") else path: value for path, value in leaves}


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
    else:
        yield path, result
