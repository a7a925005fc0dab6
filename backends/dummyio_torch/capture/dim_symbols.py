"""Which axes of recorded inputs are dims, and the names of these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dummyio.sources.axis_names import make_unique, name_axis
from dummyio.sources.input_names import is_mask
from dummyio.spec.dims import Dim, Size
from dummyio_torch.capture.recorded_calls import Axis, Recorded
from dummyio_torch.capture.size_relations import Relation, find_relations

if TYPE_CHECKING:
    from dummyio_torch.capture.shape_probe import Probe


class DimInference:
    """The axes of some calls, each with its sizes, one for each call."""

    def __init__(
        self, vectors: Mapping[Axis, tuple[int, ...]], leaves: Mapping[str, Recorded], caches: frozenset[str]
    ) -> None:
        self._vectors, self._leaves, self._caches = vectors, leaves, caches
        self._used: set[str] = set()

    def varied(self) -> dict[Axis, Size]:
        """Return the size of every axis: a dim, what it was of other sizes in all calls, or the number that it was in all calls."""
        moving = list(dict.fromkeys(v for v in self._vectors.values() if len(set(v)) > 1))
        relations = self._find_relations(moving)
        named: dict[tuple[int, ...], Size] = {}
        for axis, vector in self._vectors.items():
            if vector in moving and vector not in relations and vector not in named:
                named[vector] = Dim(self._name(axis), vector[0], min(vector), max(vector))

        def resolve(vector: tuple[int, ...]) -> Size:
            if vector not in named:
                relation = relations[vector]
                size: Size = relation.compute(*map(resolve, relation.bases))
                named[vector] = size
            return named[vector]

        return {axis: resolve(vector) if vector in moving else vector[0] for axis, vector in self._vectors.items()}

    def _find_relations(self, moving: list[tuple[int, ...]]) -> dict[tuple[int, ...], Relation]:
        """Return the relations of varied sizes to others; a batch is not a part of another size."""
        lengths = {vector for (_, axis), vector in self._vectors.items() if axis > 0 and vector in moving}
        masks = {v for (p, axis), v in self._vectors.items() if axis == len(self._leaves[p].shape) - 1 and is_mask(p)}
        steps = {
            vector[0]
            for (path, axis), vector in self._vectors.items()
            if axis > 0 and len(set(vector)) == 1 and not self._leaves[path].dtype.is_floating_point
        }
        return find_relations([vector for vector in moving if vector in lengths], masks, steps)

    def confirmed(self, probe: Probe | None) -> dict[Axis, Size]:
        """Return the size of every axis of one call: a dim if the module takes another size."""
        sizes: dict[Axis, Size] = {axis: vector[0] for axis, vector in self._vectors.items()}
        if probe is None:
            return sizes
        for group in self._groups():
            for axes in (group, *([axis] for axis in group)) if len(group) > 1 else (group,):
                free = [axis for axis in axes if isinstance(sizes[axis], int)]
                size = self._vectors[axes[0]][0]
                if free and len(free) == len(axes) and probe.takes(dict.fromkeys(free, size + 1)):
                    dim = Dim(self._name(free[0]), size, min(1, size))
                    sizes.update(dict.fromkeys(free, dim))
        return sizes

    def _groups(self) -> list[list[Axis]]:
        """Return axes of the same size: first ones by themselves, then the others."""
        groups: dict[tuple[bool, int], list[Axis]] = {}
        for axis, vector in self._vectors.items():
            groups.setdefault((axis[1] > 0, vector[0]), []).append(axis)
        return [groups[key] for key in sorted(groups, key=lambda key: key[0])]

    def _name(self, axis: Axis) -> str:
        path, place = axis
        leaf = self._leaves[path]
        name = name_axis(path, place, len(leaf.shape), floating=leaf.dtype.is_floating_point)
        if path.split(".", maxsplit=1)[0] in self._caches:
            length = "encoder_sequence_length" if ".encoder." in path else "past_sequence_length"
            name = {0: "batch_size", 2: length}.get(place, f"cache_size_{place}")
        return make_unique(name, self._used, path)
