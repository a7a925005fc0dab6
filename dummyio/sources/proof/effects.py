"""Inputs that prove nothing: they never vary, or no result changes with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from dummyio.input_spec import InputSpec
from dummyio.spec.tensor_spec import Nest
from dummyio.typing import Array

NEVER_VARIES = "its rule gives the same values in every sample"
NO_EFFECT = "no result changes with it"
_MOST_SAMPLES = 8
"""Samples in which an input is looked for that differs from the first one."""


def find_ineffective_inputs(
    spec: InputSpec, compute: Callable[[dict[str, Array]], bytes | None], is_over: Callable[[], bool]
) -> dict[str, str]:
    """Return path → reason for the inputs without an effect; a cache counts as one input.

    Parameters
    ----------
    spec
        The inputs. Each is changed alone, to its values in another sample; the others keep theirs.
    compute
        From the inputs by path, at the default sizes, to a digest of the model's results; None if it refuses them. Equal inputs must
        give equal digests.
    is_over
        Whether no further run may begin.
    """
    found: dict[str, str] = {}
    first, before = spec.feeds(), None
    for name, changed in iterate_changes(spec, lambda sample: spec.feeds(sample=sample)):
        if changed is None:
            found[name] = NEVER_VARIES
            continue
        if before is None and not is_over():
            before = compute(_copy(first))
        if before is None or is_over():
            continue
        if compute(_copy({**first, **changed})) == before:
            found[name] = NO_EFFECT
    return found


def iterate_changes(
    spec: InputSpec, make: Callable[[int], dict[str, Array]]
) -> Iterator[tuple[str, dict[str, Array] | None]]:
    """Yield each input with other values of it, by path, that its rule allows; None for one that never varies.

    `make` returns the inputs of a sample by path; those of the first are what is changed. A cache counts as one input.
    """
    samples = [make(0)]
    for name, paths in _list_units(spec):
        yield name, _find_change(paths, samples, make)


def _list_units(spec: InputSpec) -> list[tuple[str, Sequence[str]]]:
    """Return the tensors that are changed together: each alone, and all tensors of a cache, each with its name."""
    units: dict[str, list[str]] = {}
    caches = {name for name, node in spec.items() if isinstance(node, Nest) and node.kind == "cache"}
    for path, _ in spec.leaves:
        root = path.partition(".")[0]
        units.setdefault(root if root in caches else path, []).append(path)
    return list(units.items())


def _find_change(
    paths: Sequence[str], samples: list[dict[str, Array]], make: Callable[[int], dict[str, Array]]
) -> dict[str, Array] | None:
    """Return other values of some inputs, from the first sample in which they differ; None if they do in none."""
    for sample in range(1, _MOST_SAMPLES):
        if sample == len(samples):
            samples.append(make(sample))
        if any(samples[sample][path].tobytes() != samples[0][path].tobytes() for path in paths):
            return {path: samples[sample][path] for path in paths}
    return None


def _copy(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return copies: tensors made of them may share their memory, and a model may write to its inputs."""
    return {path: array.copy() for path, array in arrays.items()}
