"""What evaluations of functions and modules show of their descriptions: they are confirmed, corrected or refused."""

import pytest

jax = pytest.importorskip("jax")
pytest.importorskip("flax")

import jax.numpy as jnp
from flax import nnx
from jax import export
from jax_models import CASES, zeros

import dummyio
from dummyio import Dim
from dummyio.errors import SourceError


def pairs(x):
    """Fold pairs of steps of 8 numbers, which symbols do not check."""
    return x.reshape(x.shape[0], x.shape[1] // 2, 2, 8).sum(2)


@pytest.mark.parametrize("name", ["nnx_block", "masked_mlp"])
def test_what_was_evaluated_is_in_the_proof(name):
    case = CASES[name]()
    spec = dummyio.describe(case.model, **case.options)
    assert spec == dummyio.describe(case.model, prove="off", **case.options)
    assert spec.proof.level == "shapes"
    assert (spec.proof.sizes[0], len(spec.proof.sizes)) == (spec.sizes(), 4)
    assert (spec.proof.corrections, spec.proof.unproved) == ((), ())
    assert list(spec.proof.versions) == (["jax", "flax"] if name == "nnx_block" else ["jax"])
    assert str(spec.proof).startswith(f"proved: ran without values at 4 sizes, jax {jax.__version__}")


def test_values_run_on_request():
    spec = dummyio.describe(jax.jit(lambda x: x @ jnp.ones((3, 2))), args=(zeros(2, 3),), prove="values")
    assert spec.proof.level == "values"
    assert len(spec.proof.sizes) >= 3


def test_sizes_that_symbols_do_not_check_are_restricted():
    spec = dummyio.describe(pairs, args=(zeros(2, 6, 8),))
    assert spec.dims["sequence_length"] == Dim("sequence_length", 6, min=2, multiple_of=2)
    assert spec["x"].shape[2] == Dim.static("x_size_2", 8)
    assert len(spec.proof.corrections) == 1
    assert dummyio.describe(pairs, args=(zeros(2, 6, 8),), prove="off").dims["sequence_length"].multiple_of == 1


def test_ids_stay_below_the_rows_of_their_table():
    """JAX itself takes any id: the table is found in the trace."""
    model = nnx.Embed(30, 4, rngs=nnx.Rngs(0))
    spec = dummyio.describe(model, args=(zeros(2, 5, dtype="int32"),))
    assert next(leaf for _, leaf in spec.leaves).values.high == 30
    taken = dummyio.describe(lambda ids: jnp.take(jnp.ones((9, 3)), ids, axis=0), args=(zeros(4, dtype="int32"),))
    assert taken["ids"].values.high == 9


def test_what_no_correction_mends_is_refused_with_the_functions_own_line():
    def never(x):
        if isinstance(x.shape[0], int) and x.shape[0] != 5:
            raise ValueError("numbers are not for me")
        return x

    with pytest.raises(SourceError, match=r"never .*x: float32\[2, 3\].*ValueError: numbers are not for me"):
        dummyio.describe(never, args=(zeros(2, 3),))

    def seldom(x):
        if isinstance(x.shape[0], int) and x.shape[0] > 5:
            raise ValueError("more than five are not for me")
        return x

    spec = dummyio.describe(seldom, args=(zeros(2, 3),), dynamic={"x": ("batch_size", None)})
    with pytest.raises(
        SourceError, match=r"seldom refuses the inputs .*x float32\[6, 3\].*more than five are not for me.*prove='off'"
    ):
        dummyio.describe(seldom, args=(zeros(2, 3),), dynamic={"x": ("batch_size", None)}, batch_size=6)
    assert spec.proof.level == "shapes"


def test_an_exported_function_is_evaluated_and_its_file_says_what_is_not_seen(tmp_path):
    sizes = export.symbolic_shape("b, s, 8", constraints=["mod(s, 4) == 0"])
    exported = export.export(jax.jit(jnp.tanh))(jax.ShapeDtypeStruct(sizes, jnp.float32))
    spec = dummyio.describe(exported)
    assert (spec.proof.level, spec.dims["s"].multiple_of, spec.proof.unproved) == ("shapes", 4, ())
    path = tmp_path / "tanh.stablehlo"
    path.write_bytes(exported.serialize())
    found = dummyio.describe(path)
    assert (found.proof.level, found.dims["s"].multiple_of) == ("shapes", 1)  # JAX does not write the bounds
    assert found.proof.unproved == ("bounds of sizes that the module checks, which prove='values' runs",)


@pytest.mark.slow
def test_values_show_the_bounds_that_a_module_checks(tmp_path):
    sizes = export.symbolic_shape("b, s, 8", constraints=["mod(s, 4) == 0"])
    path = tmp_path / "tanh.stablehlo"
    path.write_bytes(export.export(jax.jit(jnp.tanh))(jax.ShapeDtypeStruct(sizes, jnp.float32)).serialize())
    spec = dummyio.describe(path, prove="values")
    assert (spec.proof.level, spec.dims["s"]) == ("values", Dim("s", 16, min=4, multiple_of=4))


def test_inputs_without_an_effect_are_named():
    shape = jax.ShapeDtypeStruct((2, 3), "float32")
    proof = dummyio.describe(lambda x, unused: x * 2, args=(shape, shape), prove="values").proof
    assert proof.ineffective == {"unused": "no result changes with it"}
