"""Names for what a model returns, the same in every framework: so that a reference and its export can be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

__all__ = ["name_outputs"]

_NAMELESS = "output"


def name_outputs(
    result: Any, declared: Sequence[str] = (), expand: Callable[[Any, str], Mapping[str, Any] | None] | None = None
) -> dict[str, Any]:
    """Return name → tensor for whatever a model returned, in order.

    Keys and places are joined by dots. What has no key takes the names `declared` for the model's outputs, where they are as
    many, else ``output`` (a single tensor) and ``output_0``, ``output_1`` ... None is left out.

    Parameters
    ----------
    result
        A tensor, or dicts, lists and tuples of them.
    declared
        The names of the outputs that a spec knows.
    expand
        Turns a framework's own containers, given with the path at which they stand, into name → tensor, full names; None
        for what it does not know.
    """
    leaves = list(_leaves(result, "", expand or _unknown))
    if len(leaves) == len(declared) and all(path == "" or path.startswith("_") for path, _ in leaves):
        return dict(zip(declared, (value for _, value in leaves), strict=True))
    return {_named(path): value for path, value in leaves}


def _unknown(value: Any, path: str) -> None:
    del value, path


def _named(path: str) -> str:
    if not path:
        return _NAMELESS
    return f"{_NAMELESS}{path}" if path.startswith("_") else path


def _leaves(
    result: Any, path: str, expand: Callable[[Any, str], Mapping[str, Any] | None]
) -> Iterator[tuple[str, Any]]:
    """Yield path → tensor; the path of what stands at a place of the result itself begins with an underscore."""
    if result is None:
        return
    own = expand(result, path)
    if own is not None:
        yield from own.items()
    elif isinstance(result, Mapping):
        for key, value in result.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key), expand)
    elif isinstance(result, (list, tuple)):
        names = getattr(result, "_fields", None) or [str(place) for place in range(len(result))]
        for name, value in zip(names, result, strict=True):
            yield from _leaves(value, f"{path}.{name}" if path else f"_{name}" if name.isdecimal() else name, expand)
    else:
        yield path, result
