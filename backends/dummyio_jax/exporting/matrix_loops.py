"""Decompositions of matrices as loops over their columns: TensorFlow's compiler has none of the LAPACK calls that JAX makes."""

from typing import Any

import jax.numpy as jnp
from jax import lax


def decompose_cholesky(matrix: Any) -> Any:
    """Return the lower triangle whose product with its transpose is a symmetric matrix."""
    size, rows = matrix.shape[-1], lax.broadcasted_iota(jnp.int32, matrix.shape[-1:], 0)

    def add_column(place: Any, lower: Any) -> Any:
        here = (rows == place).astype(matrix.dtype)
        column = matrix @ here - (lower * (lower.mT @ here)[..., None, :]).sum(-1)
        column = jnp.where(rows >= place, column / jnp.sqrt((column * here).sum(-1, keepdims=True)), 0)
        return lower + column[..., :, None] * here

    return lax.fori_loop(0, size, add_column, jnp.zeros_like(matrix))


def solve_triangular(triangle: Any, right: Any, *, lower: bool, unit_diagonal: bool) -> Any:
    """Return the solution of a triangular system for all right-hand sides, row by row."""
    size, rows = triangle.shape[-1], lax.broadcasted_iota(jnp.int32, triangle.shape[-1:], 0)

    def add_row(step: Any, found: Any) -> Any:
        here = (rows == (step if lower else size - 1 - step)).astype(triangle.dtype)
        row = jnp.einsum("...ij,i->...j", triangle, here)
        rest = jnp.einsum("...ij,i->...j", right, here) - jnp.einsum("...i,...ij->...j", row, found)
        scale = 1 if unit_diagonal else (row * here).sum(-1)[..., None]
        return found + here[:, None] * (rest / scale)[..., None, :]

    return lax.fori_loop(0, size, add_row, jnp.zeros_like(right))


def decompose_lu(matrix: Any) -> tuple[Any, Any, Any]:
    """Return both triangles in one matrix, the row that each step exchanged with its own, and the order of the rows."""
    size, rows = matrix.shape[-1], lax.broadcasted_iota(jnp.int32, matrix.shape[-1:], 0)

    def eliminate(place: Any, state: Any) -> Any:
        both, pivots, order = state
        column = jnp.where(rows >= place, jnp.abs(both[:, place]), -1)
        largest = jnp.argmax(column).astype(jnp.int32)
        swapped = jnp.where(rows == place, largest, jnp.where(rows == largest, place, rows))
        both, order = both[swapped], order[swapped]
        below = jnp.where(rows > place, both[:, place] / both[place, place], 0)
        both = both - below[:, None] * jnp.where(rows >= place, both[place], 0)
        both = jnp.where((rows == place) & (rows[:, None] > place), below[:, None], both)
        return both, jnp.where(rows == place, largest, pivots), order

    return lax.fori_loop(0, size, eliminate, (matrix, rows, rows))
