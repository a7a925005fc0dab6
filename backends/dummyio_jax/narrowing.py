"""Sizes that an artifact cannot keep free: those that the caller wants fixed, and empty ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dummyio.dims import Dim, symbols
from dummyio.errors import OptionError, near
from dummyio.spec import InputSpec

__all__ = ["Static", "narrowed"]

Static = str | Sequence[str] | None


def narrowed(spec: InputSpec, static: Static) -> tuple[InputSpec, tuple[str, ...]]:
    """Return the spec that an artifact can keep, and the notes that say what it cannot.

    Parameters
    ----------
    spec
        The inputs.
    static
        Which dims to fix at their default sizes: ``"all"``, ``"all_but_batch"``, or names.

    Raises
    ------
    OptionError
        for what is none of these.
    """
    names = _names(spec, static)
    fixed = {name: Dim(name, size, min=size, max=size) for name, size in ((n, spec.dims[n].size) for n in names)}
    shown = ", ".join(f"{name}={dim.size}" for name, dim in fixed.items())
    notes = [f"static={static!r}: the artifact takes {shown} only."] if fixed else []
    spec = spec.with_dims(**fixed) if fixed else spec
    filled = {dim.name: _filled(dim) for dim in _own(spec).values() if not dim.fixed and dim.takes(0)}
    if filled:
        # JAX decides comparisons with symbols as if none were 0; what was decided so may be wrong for an empty input.
        notes.append(
            f"JAX's symbols are 1 or more: the artifact takes no empty {', '.join(filled)}; fix it at 0 for these."
        )
        spec = spec.with_dims(**filled)
    return spec, tuple(notes)


def _own(spec: InputSpec) -> dict[str, Dim]:
    return {dim.name: dim for _, leaf in spec.leaves for size in leaf.shape for dim in symbols(size)}


def _names(spec: InputSpec, static: Static) -> list[str]:
    own = _own(spec)
    if static is None:
        return []
    free = [name for name, dim in own.items() if not dim.fixed]
    if static == "all":
        return free
    if static == "all_but_batch":
        batches = {dim.name for _, leaf in spec.leaves for dim in symbols(leaf.shape[0] if leaf.shape else 0)}
        return [name for name in free if name not in batches]
    names = [static] if isinstance(static, str) else list(static)
    for name in names:
        if name not in own:
            known = near(str(name), [*own, "all", "all_but_batch"])
            raise OptionError(f"static={static!r}: {name!r} is no dim of this model's inputs. {known}")
    return [name for name in names if name in free]


def _filled(dim: Dim) -> Dim:
    """Return a dim that is never 0."""
    choices = None if dim.choices is None else tuple(choice for choice in dim.choices if choice)
    least = max(dim.min, 1)
    size = dim.size or (min(choices) if choices else -(-least // dim.multiple_of) * dim.multiple_of)
    return replace(dim, size=size, min=least, choices=choices)
