"""Sizes that an artifact cannot keep free: which ones are fixed, and the spec and the notes that say so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from dummyio.errors import OptionError, suggest_names
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim, find_dims
from dummyio.typing import StaticDims

__all__ = ["fix_dims", "split_into_buckets"]


def fix_dims(spec: InputSpec, static: StaticDims) -> tuple[InputSpec, tuple[str, ...]]:
    """Return the spec with the sizes that `static` names fixed at their defaults, and a note where there are any.

    Raises
    ------
    OptionError
        for what is neither ``"all"``, ``"all_but_batch"`` nor names of the spec's dims.
    """
    names = _names(spec, static)
    if not names:
        return spec, ()
    fixed = {name: _fixed(spec.dims[name]) for name in names}
    text = ", ".join(f"{name}={dim.size}" for name, dim in fixed.items())
    return spec.with_dims(**fixed), (f"static={static!r}: the artifact takes {text} only.",)


def _names(spec: InputSpec, static: StaticDims) -> list[str]:
    own = {dim.name: dim for _, leaf in spec.leaves for size in leaf.shape for dim in find_dims(size)}
    free = [name for name, dim in own.items() if not dim.fixed]
    if static is None:
        return []
    if static == "all":
        return free
    if static == "all_but_batch":
        batches = {dim.name for _, leaf in spec.leaves for dim in find_dims(leaf.shape[0] if leaf.shape else 0)}
        return [name for name in free if name not in batches]
    names = [static] if isinstance(static, str) else list(static)
    for name in names:
        if name not in own:
            known = suggest_names(str(name), [*own, "all", "all_but_batch"])
            raise OptionError(f"static={static!r}: {name!r} is no dim of this model's inputs. {known}")
    return [name for name in names if name in free]


def _fixed(dim: Dim, size: int | None = None) -> Dim:
    value = dim.check(dim.size if size is None else size)
    return Dim(dim.name, value, min=value, max=value)


def split_into_buckets(
    spec: InputSpec, buckets: Mapping[str, Iterable[int]] | None
) -> tuple[InputSpec, dict[str, InputSpec], tuple[str, ...]]:
    """Return the spec that takes any of the buckets, signature → the spec of one bucket, and a note.

    Raises
    ------
    OptionError
        for more than one dim, an unknown dim, and no sizes.
    DimError
        for sizes that the dim cannot take.
    """
    if not buckets:
        return spec, {"serving_default": spec}, ()
    (name, *others), sizes = list(buckets), sorted({*next(iter(buckets.values()))})
    if others or not sizes:
        raise OptionError(
            f"buckets={dict(buckets)!r}: give one dim and its sizes, such as {{'sequence_length': (16, 64)}}."
        )
    if name not in spec.dims:
        raise OptionError(
            f"buckets={dict(buckets)!r}: {name!r} is no dim of this model's inputs. {suggest_names(name, spec.dims)}"
        )
    dim = spec.dims[name]
    each = {
        "serving_default" if place == 0 else f"{name}_{size}": spec.with_dims(**{name: _fixed(dim, size)})
        for place, size in enumerate(sizes)
    }
    whole = spec.with_dims(**{name: replace(dim, size=sizes[0], choices=tuple(sizes))})
    text = ", ".join(map(str, sizes))
    return whole, each, (f"buckets: the artifact has a signature for each {name} of {text}, and takes no other.",)
