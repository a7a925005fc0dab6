"""Specs to try in the place of one that a source refuses at its default sizes."""

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import replace

from dummyio.errors import DummyioError
from dummyio.input_spec import InputSpec
from dummyio.sources.proof.fit_dims import list_dims_of_tensors
from dummyio.sources.proof.spec_changes import map_leaves
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Rule, get_mask_path

_FACTORS = (2, 4, 8, 16, 32, 64, 256, 1024)
_MOST_GROWTH, _MOST_BYTES = 8, 1 << 22
"""Inputs may take this many times the bytes of the default sizes, or these bytes."""
_SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 64, 128, 256, 512, 1024, 4096, 16384)


def change_dtypes(spec: InputSpec, guessed: Collection[str]) -> Iterator[InputSpec]:
    """Yield the spec with another kind of dtype for an input whose dtype is a guess: real numbers for integers, and back."""
    for chosen in guessed:
        leaf = dict(spec.leaves).get(chosen)
        if leaf is None or leaf.dtype.kind not in ("int", "float"):
            continue
        dtype = DType.FLOAT32 if leaf.dtype.kind == "int" else DType.INT32
        masked = {path for path, other in spec.leaves if get_mask_path(other.values) == chosen}

        def change(path: str, old: TensorSpec, chosen: str = chosen, dtype: DType = dtype) -> TensorSpec:
            return TensorSpec(old.name, old.shape, dtype, _keep_rule(old, dtype)) if path == chosen else old

        try:
            yield map_leaves(spec, change)
        except DummyioError:  # an input that follows it cannot follow another dtype
            if not masked:
                raise


def _keep_rule(old: TensorSpec, dtype: DType) -> Rule | None:
    """Return the rule of a tensor if it fits another dtype too; else None."""
    try:
        return TensorSpec(old.name, old.shape, dtype, old.values).values
    except DummyioError:
        return None


def change_sizes(spec: InputSpec, given: Collection[str]) -> Iterator[InputSpec]:
    """Yield the spec at other default sizes: all dims of one size together, the sizes that all differ, then each dim alone.

    Parameters
    ----------
    spec
        The spec.
    given
        Dims whose sizes the caller has chosen: they stay.
    """
    free = [dim for name, dim in spec.dims.items() if not dim.fixed and name not in given]
    alike = {size: [dim for dim in free if dim.size == size] for size in dict.fromkeys(dim.size for dim in free)}
    groups = [dims for dims in alike.values() if len(dims) > 1]
    tensors = list_dims_of_tensors(spec)
    parts = [[dim for dim in dims if dim.name in names] for dims in groups for names in tensors]
    some = [part for dims in groups for part in parts if 1 < len(part) < len(dims)]  # those of one tensor of several
    alone = [[dim] for dim in free]
    distinct = [{name: size for name, size in sizes.items() if name not in given} for sizes in spec.probes()]
    plan = [
        *({dim.name: dim.size * factor for dim in dims} for dims in groups for factor in _FACTORS),
        *distinct,
        *({dim.name: dim.size * factor for dim in dims} for dims in some for factor in _FACTORS),
        *({dim.name: dim.size * factor for dim in dims} for dims in alone for factor in _FACTORS),
        *({dim.name: size for dim in dims} for dims in groups for size in _SIZES),
        *({dim.name: size for dim in dims} for size in _SIZES for dims in alone),
    ]
    most = max(_MOST_GROWTH * spec.nbytes(), _MOST_BYTES)
    tried = [spec.sizes()]
    for sizes in plan:
        new = {name: size for name, size in sizes.items() if spec.dims[name].takes(size)}
        whole = {**spec.sizes(), **new}
        if not new or whole in tried:
            continue
        tried.append(whole)
        with suppress(DummyioError):  # shapes that are not valid at these sizes
            other = spec.with_dims(**{name: replace(spec.dims[name], size=size) for name, size in new.items()})
            if other.nbytes() <= most:
                yield other
