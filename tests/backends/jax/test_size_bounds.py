"""Sizes within bounds: tables of positions, windows, sizes that are taken apart or decide; and why a size is fixed."""

import pytest

jax = pytest.importorskip("jax")

import jax.numpy as jnp

import dummyio
from dummyio.spec.dims import Dim
from dummyio_jax.description.size_bounds import fit_bounds, propose_bounds

TABLE = jnp.ones((32, 8))


def describe(function, *shape, dtype="float32"):
    return dummyio.describe(jax.jit(function), args=(jax.ShapeDtypeStruct(shape, dtype),), prove="off")


@pytest.mark.parametrize(
    ("function", "most"),
    [
        (lambda x: x + TABLE[: x.shape[1]], 32),
        (lambda x: x + TABLE[2 : 2 + x.shape[1]], 30),
        (lambda x: x + TABLE[16 - x.shape[1] : 16], 16),
        (lambda x: x + TABLE[: x.shape[1]] + TABLE[:20][: x.shape[1]], 20),
        (lambda x: x + jax.lax.dynamic_slice_in_dim(TABLE, 0, x.shape[1]), 32),
        (lambda x: x + jnp.take(TABLE, jnp.arange(x.shape[1]), axis=0), 32),
        (lambda x: x + TABLE[jnp.arange(x.shape[1]) + 2], 30),
        (lambda x: x + TABLE[jnp.minimum(jnp.arange(x.shape[1]), 31)], None),
        (jax.vmap(lambda x: x + TABLE[: x.shape[0]]), 32),
    ],
    ids=[
        "slice",
        "from the third",
        "up to the middle",
        "two",
        "dynamic",
        "take",
        "third place",
        "held at the end",
        "map",
    ],
)
def test_a_table_of_positions_bounds_the_length(function, most):
    spec = describe(function, 2, 6, 8)
    length = spec["x"].shape[1] if "x" in spec else next(iter(spec.leaves))[1].shape[1]
    assert length == Dim("sequence_length", 6, max=most)
    assert spec.outputs[0].shape[1] == length
    if most is not None:
        assert spec.provenance["dim sequence_length"].startswith(f"at most {most}: ")


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x[:, 2:] - x[:, :-2], Dim("sequence_length", 8, min=3)),
        (lambda x: x * 2 if x.shape[1] > 4 else x, Dim("sequence_length", 8, min=5)),
        (
            lambda x: jnp.pad(x, ((0, 0), (0, max(0, 10 - x.shape[1])), (0, 0))).mean(1),
            Dim("sequence_length", 8, max=9),
        ),
        (
            lambda x: x + jnp.repeat(x.reshape(x.shape[0], x.shape[1] // 4, 4, 8).mean(2), 4, axis=1),
            Dim("sequence_length", 8, min=4, multiple_of=4),
        ),
    ],
    ids=["a window", "a decision", "padded up to a size", "taken apart"],
)
def test_a_size_that_is_not_any_size(function, expected):
    spec = describe(function, 2, 8, 8)
    assert spec["x"].shape[1] == expected
    assert "JAX" not in spec.provenance["dim sequence_length"]
    assert "This error arises" not in spec.provenance["dim sequence_length"]


def test_an_axis_that_is_fixed_has_a_note():
    spec = describe(lambda x: x @ jnp.ones((8, 3)), 2, 8)
    assert spec["x"].shape[1] == 8
    assert spec.provenance["axis 1 of x"].startswith(
        "fixed at 8: TypeError: dot_general requires contracting dimensions"
    )


def test_numbers_of_a_reason_are_guesses():
    dim = Dim("length", 6)
    assert not list(propose_bounds(dim, "dot_general got (length,) and (8,)"))
    assert not list(propose_bounds(dim, "min(32, width)"))
    tried = []
    found = fit_bounds(
        dim, "min(32, length + 2)", lambda other: tried.append(other.max) or ("" if other.max == 30 else "no")
    )
    assert (found, tried) == (Dim("length", 6, max=30), [32, 30])
    assert fit_bounds(dim, "length > 4 is inconclusive", lambda _: "no") is None
