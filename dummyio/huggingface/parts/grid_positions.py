"""Positions in time, height and width: text goes on by one in all three, the places of an image have those of its grid."""

from collections.abc import Collection

import numpy as np

from dummyio.typing import Array


def count_grid_positions(
    ids: Array, mask: Array, placeholders: Collection[int], grid: tuple[int, int, int]
) -> tuple[Array, Array]:
    """Return the positions of a text with images that all have the same grid.

    Parameters
    ----------
    ids, mask
        The text, and which of its tokens are not padding: [batch, sequence].
    placeholders
        The ids whose runs stand for images.
    grid
        The places of an image: in time, height and width.

    Returns
    -------
    tuple
        The positions, [3, batch, sequence], 0 for padding; and for each row how far its next position is from its number of tokens, [batch].
    """
    positions = np.zeros((len(grid), *ids.shape), np.int64)
    shifts = np.zeros(len(ids), np.int64)
    places = np.indices(grid).reshape(len(grid), -1)
    step = max(grid[1:])
    for row, (tokens, seen) in enumerate(zip(ids, mask, strict=True)):
        kept = np.flatnonzero(seen)
        current = at = 0
        while at < len(kept):
            if int(tokens[kept[at]]) in placeholders:
                image = kept[at : at + places.shape[1]]
                positions[:, row, image] = current + places[:, : len(image)]
                current, at = current + step, at + len(image)
            else:
                positions[:, row, kept[at]] = current
                current, at = current + 1, at + 1
        shifts[row] = (positions[:, row].max() + 1 if len(kept) else 0) - len(kept)
    return positions, shifts
