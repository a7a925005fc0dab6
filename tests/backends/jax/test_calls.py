"""Functions as people write and call them: mapped over axes, partial, with static arguments, with inputs that pass through."""

import functools
import inspect
from dataclasses import dataclass
from typing import NamedTuple

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


class Batch(NamedTuple):
    x: jax.Array
    mask: jax.Array | None


@jax.tree_util.register_dataclass
@dataclass
class State:
    x: jax.Array
    mask: jax.Array | None = None


def scale(batch):
    y = batch.x * 2.0
    return {"y": y if batch.mask is None else y * batch.mask, "mask": batch.mask}


@pytest.mark.parametrize(
    ("net", "args", "kind"),
    [
        (lambda x: x["x"] if x["mask"] is None else x["mask"], ({"x": like(2, 3), "mask": None},), "dict"),
        (lambda x: x[1] if x[0] is None and x[2] is None else x[0], ([None, like(2, 3), None],), "list"),
        (scale, (Batch(like(2, 3), None),), "record"),
        (scale, (State(like(2, 3)),), "record"),
    ],
    ids=["dict", "list", "named tuple", "dataclass"],
)
def test_none_is_a_tree_without_leaves(net, args, kind):
    net = jax.jit(net)
    spec = dummyio.describe(net, args=args)
    ((path, leaf),) = spec.leaves
    (tree,) = (spec[name] for name in spec)
    assert (path.partition(".")[2] in {"x", "1"}, tree.kind, leaf.rank) == (True, kind, 2)
    assert any(item is None for item in jax.tree.leaves(spec.generate("jax"), is_leaf=lambda item: item is None))
    assert len(spec.outputs) == 1
    assert dummyio.InputSpec.from_json(spec.to_json()) == spec
    (result,) = dummyio.open_runner(net, spec)(spec.feeds()).values()
    assert result.shape == (2, 3)


@pytest.mark.slow
@pytest.mark.parametrize("default", [inspect.Parameter.empty, None, 3.0], ids=["required", "None", "a number"])
def test_none_as_an_argument_is_kept_unless_it_is_the_default(tmp_path, default):
    def plain(x, scale):
        return x * 2 if scale is None else x * scale

    parameters = inspect.signature(plain).parameters
    plain.__signature__ = inspect.Signature([parameters["x"], parameters["scale"].replace(default=default)])
    plain.__defaults__ = None if default is inspect.Parameter.empty else (default,)
    net = jax.jit(plain)
    spec = dummyio.describe(net, args=(like(2, 3), None))
    assert list(spec) == (["x"] if default is None else ["x", "scale"])
    assert [path for path, _ in spec.leaves] == ["x"]
    artifact = dummyio.export(net, tmp_path / "net.stablehlo", spec=spec)
    assert dummyio.validate(artifact.path, net).ok


def test_a_dataclass_with_settings_is_refused_with_a_remedy():
    @functools.partial(jax.tree_util.register_dataclass, data_fields=["x"], meta_fields=["rate"])
    @dataclass
    class Rated:
        x: jax.Array
        rate: float = 2.0

    with pytest.raises(SourceError, match=r"fields beside its arrays, rate.*makes the Rated of them itself"):
        dummyio.describe(jax.jit(lambda batch: batch.x * batch.rate), args=(Rated(like(2, 3)),))


def test_a_method_of_a_container_is_an_error_with_a_remedy():
    with pytest.raises(SourceError, match="items but not the methods: give dicts"):
        dummyio.describe(jax.jit(lambda batch: batch.total()), args=(State(like(2, 3)),))
