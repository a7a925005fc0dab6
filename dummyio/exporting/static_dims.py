"""Dims that an artifact cannot keep dynamic: the spec with static sizes, or with a few sizes of one dim."""

from dataclasses import replace

from dummyio.errors import OptionError, suggest_names
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim, collect_dims, find_dims
from dummyio.typing import Buckets, StaticDims


def fix_dims(spec: InputSpec, static: StaticDims) -> tuple[InputSpec, tuple[str, ...]]:
    """Make dims static, at their default sizes.

    Parameters
    ----------
    spec
        The inputs.
    static
        ``"all"``, ``"all_but_batch"``, or names of dims.

    Returns
    -------
    tuple[InputSpec, tuple[str, ...]]
        The spec with these dims, and a note if there are any.

    Raises
    ------
    OptionError
        for a name that is not a dim of the inputs.
    """
    names = _select_dims(spec, static)
    if not names:
        return spec, ()
    fixed = {name: _static_dim(spec.dims[name], spec.dims[name].size) for name in names}
    text = ", ".join(f"{name}={dim.size}" for name, dim in fixed.items())
    return spec.with_dims(**fixed), (f"static={static!r}: the artifact takes {text} only.",)


def _select_dims(spec: InputSpec, static: StaticDims) -> list[str]:
    own = collect_dims(size for _, leaf in spec.leaves for size in leaf.shape)
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
            raise OptionError(f"static={static!r}: {name!r} is not a dim of this model's inputs. {known}")
    return [name for name in names if name in free]


def _static_dim(dim: Dim, size: int) -> Dim:
    return Dim.static(dim.name, dim.check(size))


def split_into_buckets(spec: InputSpec, buckets: Buckets) -> tuple[InputSpec, dict[str, InputSpec], tuple[str, ...]]:
    """Split a spec into one of static size for each size of a dim.

    Parameters
    ----------
    spec
        The inputs.
    buckets
        One dim and its sizes; None for a single signature.

    Returns
    -------
    tuple[InputSpec, dict[str, InputSpec], tuple[str, ...]]
        The spec of all sizes, signature → the spec of one size, and a note.

    Raises
    ------
    OptionError
        for more than one dim, an unknown dim, and no sizes.
    DimError
        for a size that the dim cannot have.
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
            f"buckets={dict(buckets)!r}: {name!r} is not a dim of this model's inputs. {suggest_names(name, spec.dims)}"
        )
    dim = spec.dims[name]
    each = {
        "serving_default" if index == 0 else f"{name}_{size}": spec.with_dims(**{name: _static_dim(dim, size)})
        for index, size in enumerate(sizes)
    }
    whole = spec.with_dims(**{name: replace(dim, size=sizes[0], choices=tuple(sizes))})
    text = ", ".join(map(str, sizes))
    return whole, each, (f"buckets: the artifact has a signature for each {name} of {text}, and takes no other.",)
