"""The weights of a Keras file: an HDF5 file, or one inside of the ``.keras`` archive."""

from collections.abc import Iterator
from typing import Any

import h5py
from h5py import h5o  # pyright: ignore[reportAttributeAccessIssue] - it is compiled

WEIGHTS = "model.weights.h5"
"""The member of a ``.keras`` archive that contains the weights."""


def iterate_members(file: h5py.File) -> Iterator[Any]:
    """Yield each ``Dataset``, and each ``ExternalLink`` without following it; groups may be linked in circles."""
    seen: set[Any] = set()
    left: list[h5py.Group] = [file]
    while left:
        group = left.pop()
        for key in group:
            link = group.get(key, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                yield link
                continue
            member = group.get(key)
            if isinstance(member, h5py.Dataset):
                yield member
            elif isinstance(member, h5py.Group) and (place := h5o.get_info(member.id).addr) not in seen:
                seen.add(place)
                left.append(member)
