"""Models as the operations that JAX traced: the results stay, and what jax2onnx cannot convert is written in another way."""

import numpy as np
import pytest

pytest.importorskip("jax")

import jax
import jax.numpy as jnp
from jax import lax

import dummyio
from dummyio_jax.exporting.plain_operations import replace_operations, trace_operations


def operations(function, *arguments):
    """The names of the operations of a function after it was traced, with its results compared with the function's."""
    plain = trace_operations(function, arguments)
    for own, found in zip(jax.tree.leaves(function(*arguments)), plain(*arguments), strict=True):
        np.testing.assert_allclose(own, found, rtol=1e-5, atol=1e-6)
    return jax.make_jaxpr(plain)(*arguments).jaxpr.eqns


X = jnp.linspace(-1, 1, 24).reshape(4, 6)


def test_keys_that_no_result_needs_are_left_out():
    def state(x):
        jax.random.split(jax.random.key(0))
        return jax.jit(jnp.tanh)(x)

    assert [equation.primitive.name for equation in operations(state, X)] == ["tanh"]


def test_the_first_axis_of_a_left_operand_is_moved_before_it_is_contracted():
    products = [e for e in operations(lambda a, b: a.T @ b, X, X) if e.primitive.name == "dot_general"]
    products += [
        e for e in operations(jax.grad(lambda a: (X @ a).sum()), X.T @ X[:, :2]) if e.primitive.name == "dot_general"
    ]
    assert products
    assert all(tuple(each.params["dimension_numbers"][0][0]) == (1,) for each in products)


def test_products_of_16_bits_have_a_batch_axis():
    half = X.astype("float16")
    (product,) = [e for e in operations(lambda a: a @ a.T, half) if e.primitive.name == "dot_general"]
    assert [len(variable.aval.shape) for variable in product.invars] == [3, 3]


@pytest.mark.parametrize("which", [0, 1, 2])
def test_one_of_three_branches_is_chosen_between_two_at_a_time(which):
    def act(x):
        return lax.switch(jnp.int32(which) + x.astype(jnp.int32)[0, 0] * 0, [jnp.tanh, jax.nn.relu, jnp.sin], x)

    assert {len(e.params["branches"]) for e in operations(act, X) if e.primitive.name == "cond"} == {2}


def test_windows_over_two_of_four_axes_become_windows_over_two_of_three():
    image = jnp.arange(2 * 5 * 6 * 3, dtype=jnp.float32).reshape(2, 5, 6, 3) % 11

    def pool(x):
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 3, 1), (1, 2, 1, 1), ((0, 0), (1, 0), (1, 1), (0, 0)))

    (window,) = [e for e in operations(pool, image) if e.primitive.name == "reduce_window_max"]
    assert window.params["window_dimensions"] == (1, 2, 3)


def test_the_largest_values_are_sorted_for_tensorflow_with_equal_ones_in_order():
    scores = jnp.array([[1, 3, 3, 2, jnp.nan], [0, -1, -1, -2, -jnp.inf]])

    def best(x):
        return {"best": jax.jit(lax.top_k, static_argnums=1)(x, 3)}

    found = jax.make_jaxpr(lambda x: replace_operations(best, [x]))(scores)
    assert "top_k" not in str(found)
    for own, other in zip(best(scores)["best"], replace_operations(best, [scores])["best"], strict=True):
        np.testing.assert_array_equal(own, other)


def test_the_error_function_is_that_of_jax_in_32_bits():
    x = jnp.concatenate([jnp.linspace(-6, 6, 4001), jnp.array([1e-8, -1e-3])])
    found = replace_operations(lax.erf, [x])
    assert "erf" not in str(jax.make_jaxpr(lambda a: replace_operations(lax.erf, [a]))(x))
    np.testing.assert_allclose(found, lax.erf(x), rtol=1e-6)


@pytest.mark.parametrize(
    "function",
    [
        lambda a: jnp.linalg.cholesky(a @ a.T + jnp.eye(5)),
        lambda a: jax.scipy.linalg.solve_triangular(a, a[:, :2], lower=True),
        lambda a: jax.scipy.linalg.solve_triangular(a, a[:, :2], trans=1),
        jax.scipy.linalg.lu_factor,
        jnp.linalg.inv,
    ],
    ids=["cholesky", "lower", "transposed", "lu", "inverse"],
)
def test_decompositions_are_loops_for_tensorflow(function):
    matrix = jnp.asarray(np.random.default_rng(0).normal(size=(5, 5)), "float32")
    found = str(jax.make_jaxpr(lambda a: replace_operations(function, [a]))(matrix))
    assert not [name for name in ("cholesky[", "triangular_solve[", " lu", "custom_linear") if f"= {name}" in found]
    results = zip(
        jax.tree.leaves(function(matrix)), jax.tree.leaves(replace_operations(function, [matrix])), strict=True
    )
    for own, other in results:
        np.testing.assert_allclose(other, own, atol=1e-5)


def test_a_function_whose_code_does_not_name_jax_is_exported_as_it_was_described(tmp_path):
    def scale(x):
        return x.mean(1)

    spec = dummyio.describe(scale, args=(X,))
    written = dummyio.export(scale, tmp_path / "scale.stablehlo", spec=spec)
    assert dummyio.open_runner(written.path, spec)(spec.feeds())["output"].shape == (4,)


@pytest.mark.slow
def test_a_result_with_the_name_of_an_input_has_another_in_every_format(tmp_path):
    pytest.importorskip("jax2onnx")

    def moments(x):
        return {"x": x * 2, "mean": jnp.mean(x, 0)}

    spec = dummyio.describe(moments, args=(X,))
    assert list(dummyio.open_runner(moments, spec)(spec.feeds())) == ["mean", "out_x"]
    for name in ("moments.onnx", "moments.stablehlo"):
        written = dummyio.export(moments, tmp_path / name, spec=spec)
        assert {output.name for output in written.spec.outputs} == {"mean", "out_x"}
