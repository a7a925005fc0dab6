"""Sizes that an artifact of JAX's cannot keep free: those that the caller wants fixed, and empty ones."""

from __future__ import annotations

from dataclasses import replace

from dummyio.exporting import static_dims as static_sizes
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim, find_dims
from dummyio.typing import StaticDims

__all__ = ["narrowed"]


def narrowed(spec: InputSpec, static: StaticDims) -> tuple[InputSpec, tuple[str, ...]]:
    """Return the spec that an artifact can keep, and the notes that say what it cannot; errors as `static_sizes.narrowed`."""
    spec, notes = static_sizes.fix_dims(spec, static)
    own = {dim.name: dim for _, leaf in spec.leaves for size in leaf.shape for dim in find_dims(size)}
    filled = {dim.name: _filled(dim) for dim in own.values() if not dim.fixed and dim.takes(0)}
    if not filled:
        return spec, notes
    # JAX decides comparisons with symbols as if none were 0; what was decided so may be wrong for an empty input.
    note = f"JAX's symbols are 1 or more: the artifact takes no empty {', '.join(filled)}; fix it at 0 for these."
    return spec.with_dims(**filled), (*notes, note)


def _filled(dim: Dim) -> Dim:
    """Return a dim that is never 0."""
    choices = None if dim.choices is None else tuple(choice for choice in dim.choices if choice)
    least = max(dim.min, 1)
    size = dim.size or (min(choices) if choices else -(-least // dim.multiple_of) * dim.multiple_of)
    return replace(dim, size=size, min=least, choices=choices)
