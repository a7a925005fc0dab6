"""Functions as people write and call them: mapped over axes, partial, with static arguments, with inputs that pass through."""

import functools

import numpy as np
import pytest

jax = pytest.importorskip("jax")

import jax.numpy as jnp

import dummyio
from dummyio.errors import SourceError
from dummyio.spec.values import Uniform


def like(*shape, dtype="float32"):
    return jax.ShapeDtypeStruct(shape, dtype)


def test_a_map_over_some_arguments_is_called_by_position():
    net = jax.jit(jax.vmap(lambda x, y: jnp.dot(x, y) + y.sum(), in_axes=(0, None)))
    spec = dummyio.describe(net, args=(like(3, 4), like(4)))
    assert [tuple(map(str, leaf.shape)) for _, leaf in spec.leaves] == [("batch_size", "x_size_1"), ("x_size_1",)]


def test_a_gradient_is_called_by_position():
    spec = dummyio.describe(jax.grad(lambda w, x: (x @ w).sum()), args=(like(4), like(2, 4)))
    assert list(spec) == ["w", "x"]


class Layer:
    def __call__(self, params, x):
        return self.forward(params, x)

    def forward(self, params, x):
        return jnp.tanh(x @ params["w"])


@pytest.mark.parametrize(
    "net",
    [
        functools.partial(Layer(), {"w": np.ones((4, 3), np.float32)}),
        functools.partial(lambda w, x: x @ w, jnp.ones((4, 3))),
    ],
    ids=["an object of a class", "parameters of JAX"],
)
def test_a_partial_is_of_jax_by_what_it_calls_or_holds(tmp_path, net):
    artifact = dummyio.export(net, tmp_path / "net.stablehlo", args=(like(2, 4),))
    assert artifact.format == "stablehlo"


def test_the_remedy_for_a_static_argument():
    @functools.partial(jax.jit, static_argnums=(1,))
    def net(x, steps):
        return x * sum(range(steps))

    with pytest.raises(SourceError, match=r"fix it: functools.partial\(function, steps=...\)"):
        dummyio.describe(net, args=(like(2, 3), 3))


def test_pixels_of_8_bits_have_all_values():
    net = jax.jit(lambda image: jnp.mean(image.astype(jnp.float32), (1, 2)))
    spec = dummyio.describe(net, args=(like(2, 8, 9, 3, dtype="uint8"),))
    assert spec["image"].values == Uniform(0, 256)


def test_an_input_that_passes_through_has_two_names(tmp_path):
    pytest.importorskip("jax2onnx")
    step = jax.jit(lambda x, state: (x * 2.0, state))
    artifact = dummyio.export(step, tmp_path / "step.onnx", args=(like(2, 4), like(2, 3)))
    assert dummyio.validate(artifact.path, step).ok
