from functools import partial
from typing import Annotated, NamedTuple

import numpy as np
import pytest

jax = pytest.importorskip("jax")

import jax.numpy as jnp
from jax import export

import dummyio
from dummyio.backend.frameworks import detect_framework
from dummyio.errors import OptionError, SourceError
from dummyio.spec.dims import Dim
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import Nest, TensorSpec
from dummyio.spec.values import Lengths, PaddingMask, Positions, TokenIds, Uniform
from dummyio_jax.calling.symbolic_dims import to_dims, to_size

TABLE = np.arange(30 * 4, dtype=np.float32).reshape(30, 4)


def zeros(*shape, dtype="float32"):
    return jax.ShapeDtypeStruct(shape, dtype)


def shapes(spec):
    return {path: tuple(map(str, leaf.shape)) for path, leaf in spec.leaves}


def exp(x):
    return jnp.exp(x)


def embed(input_ids, attention_mask):
    return jnp.asarray(TABLE)[input_ids] * attention_mask[..., None]


# Example arguments.


def test_equal_sizes_are_one_symbol_and_ids_follow_the_table_and_the_mask():
    spec = dummyio.describe(embed, args=(zeros(3, 7, dtype="int32"), zeros(3, 7, dtype="int32")), batch_size=5)
    assert shapes(spec) == dict.fromkeys(["input_ids", "attention_mask"], ("batch_size", "sequence_length"))
    assert spec["input_ids"].values == TokenIds(30, mask="attention_mask")
    assert spec["attention_mask"].values == PaddingMask()
    assert spec.dims == {"batch_size": Dim("batch_size", 5), "sequence_length": Dim("sequence_length", 7)}
    (output,) = spec.outputs
    assert (output.name, [str(size) for size in output.shape]) == ("output", ["batch_size", "sequence_length", "4"])


@pytest.mark.parametrize(
    "take", [lambda t, i: t[i], lambda t, i: jnp.take(t, i, axis=0), lambda t, i: jax.vmap(lambda j: t[j])(i)]
)
def test_every_way_to_index_bounds_the_ids(take):
    spec = dummyio.describe(jax.jit(lambda ids: take(jnp.asarray(TABLE), ids)), args=(np.zeros(6, np.int32),))
    assert spec["ids"].values == TokenIds(30)


def test_a_size_that_the_function_fixes_stays_an_int():
    weights = jnp.ones((8, 4))
    spec = dummyio.describe(lambda x: x @ weights, args=(zeros(8, 8),))
    assert shapes(spec) == {"x": ("batch_size", "8")}
    assert shapes(dummyio.describe(lambda x: weights @ x, args=(zeros(4),)))["x"] == ("4",)


def test_height_and_width_of_one_image_are_two_symbols_and_both_sides_of_a_mask_one():
    images = dummyio.describe(lambda pixel_values: jnp.tanh(pixel_values).mean((1, 2)), args=(zeros(2, 16, 16, 3),))
    assert shapes(images)["pixel_values"][:3] == ("batch_size", "height", "width")
    pairs = dummyio.describe(lambda x, mask: jnp.einsum("bsf,bst->btf", x, mask), args=(zeros(2, 6, 8), zeros(2, 6, 6)))
    assert shapes(pairs)["mask"] == ("batch_size", "sequence_length", "sequence_length")


def test_dynamic_names_the_axes_and_all_others_are_static():
    options = {
        "args": (zeros(2, 6, 8), {"key": zeros(2, 4, 8)}, zeros(2, 10)),
        "dynamic": {
            "x": ("batch_size", "sequence_length", None),
            "past.key": ("batch_size", "past_sequence_length", None),
            "total": ("batch_size", "past_sequence_length + sequence_length"),
        },
    }

    def join(x, past, total):
        return jnp.concatenate([past["key"], x], 1) * total[..., None]

    spec = dummyio.describe(join, **options)
    assert shapes(spec)["total"] == ("batch_size", "past_sequence_length + sequence_length")
    assert isinstance(spec["past"], Nest)
    with pytest.raises(SourceError, match="cannot be traced"):
        dummyio.describe(join, args=options["args"], dynamic={"x": ("batch_size", None, None)})


@pytest.mark.parametrize(
    ("dynamic", "message"),
    [
        ({"z": ("batch_size",)}, "no input has that path"),
        ({"x": ("batch_size",)}, "each of its 2 axes"),
        ({"x": ("a", "a")}, "two names"),
        ({"x": ("a", "a + 2")}, "in the other examples"),
        ({"x": ("a", "b +")}, "dynamic"),
        ({"x": ("a", "c + 1")}, "no dim is named 'c'"),
    ],
)
def test_an_invalid_dynamic_option_is_an_error(dynamic, message):
    with pytest.raises(OptionError, match=message):
        dummyio.describe(exp, args=(zeros(3, 4),), dynamic=dynamic)


def test_nests_go_in_as_they_are_and_custom_containers_are_named():
    class Pair(NamedTuple):
        left: jax.Array
        right: jax.Array

    def pick(state, *more):
        return Pair(state["pair"].left, state["layers"][0][0] + jnp.exp(more[0]))

    state = {"pair": Pair(zeros(2, 3), zeros(2, 3)), "layers": [(zeros(2, 5),)]}
    spec = dummyio.describe(pick, args=(state, zeros(2, 5)))
    assert list(shapes(spec)) == ["state.pair.left", "state.pair.right", "state.layers.0.0", "more.0"]
    assert spec["state"]["pair"].kind == "record"
    assert [output.name for output in spec.outputs] == ["left", "right"]
    results = dummyio.open_runner(pick, spec)(spec.feeds())
    assert list(results) == ["left", "right"]


def test_an_argument_that_is_not_an_array_is_an_error_with_a_remedy():
    with pytest.raises(SourceError, match=r"functools\.partial"):
        dummyio.describe(lambda x, mode: jnp.exp(x), args=(zeros(2), "fast"))
    with pytest.raises(SourceError, match="random keys"):
        dummyio.describe(lambda key: jax.random.normal(key) + 1, args=(jax.random.key(0),))
    with pytest.raises(SourceError, match="does not take these example arguments"):
        dummyio.describe(exp, args=(zeros(2), zeros(2)))
    with pytest.raises(OptionError, match="give a tuple"):
        dummyio.describe(exp, args=zeros(2))


def test_64_bit_examples_are_described_as_the_function_sees_them():
    function, wide = jax.jit(lambda x: x + 1), (np.zeros((2, 3), np.int64),)
    assert dummyio.describe(function, args=wide)["x"].dtype is DType.INT32
    with jax.enable_x64(True):
        assert dummyio.describe(function, args=wide)["x"].dtype is DType.INT64


# Signatures.


def test_jaxtyping_annotations_need_no_examples():
    jaxtyping = pytest.importorskip("jaxtyping")

    def annotated(
        x: jaxtyping.Float[jax.Array, "batch_size sequence_length hidden=8"],  # noqa: F722
        mask: jaxtyping.Bool[jax.Array, "batch_size sequence_length"],  # noqa: F722
        scale: float = 2.0,
    ):
        return jnp.where(mask[..., None], x, 0) @ jnp.ones((8, 3)) * scale

    spec = dummyio.describe(annotated, sequence_length=9)
    assert shapes(spec)["x"] == ("batch_size", "sequence_length", "8")
    assert (spec["x"].dtype, spec["mask"].dtype, len(spec)) == (DType.FLOAT32, DType.BOOL, 2)
    assert spec.dims["sequence_length"].size == 9


def test_a_symbol_that_cannot_be_free_takes_the_size_that_is_given():
    jaxtyping = pytest.importorskip("jaxtyping")

    def annotated(x: jaxtyping.Float[jax.Array, "batch hidden"]):  # noqa: F722
        return x @ jnp.ones((8, 3))

    with pytest.raises(SourceError, match="hidden=64"):
        dummyio.describe(annotated)
    spec = dummyio.describe(annotated, hidden=8, batch=4)
    assert spec.dims["hidden"].fixed
    assert not spec.dims["batch"].fixed


def test_shapes_in_defaults_and_annotated_are_read_with_their_bounds():
    batch, length = export.symbolic_shape(
        "batch, length", constraints=["length <= 64", "mod(length, 8) == 0", "batch >= 3"]
    )

    shape = jax.ShapeDtypeStruct((batch, length), jnp.bfloat16)

    def function(x=shape, *, y: Annotated[jax.Array, zeros(2)]):
        return x.sum() + y.sum()

    spec = dummyio.describe(function)
    assert shapes(spec) == {"x": ("batch", "length"), "y": ("2",)}
    assert spec.dims["length"] == Dim("length", 16, max=64, multiple_of=8)
    assert spec.dims["batch"] == Dim("batch", 3, min=3)


def test_a_derived_size_is_written_in_the_notation_of_a_spec():
    batch, length = export.symbolic_shape("batch, length")
    dims = to_dims([batch * length])
    sizes = [to_size(size, dims) for size in (batch * batch + 1, (length + 1) // 2, length % 3)]
    assert [str(size) for size in sizes] == ["batch * batch + 1", "(length + 1) // 2", "length - (length // 3) * 3"]
    with pytest.raises(SourceError, match="a spec has no max"):
        to_size(jax.core.max_dim(length, 5), dims)


@pytest.mark.parametrize("function", [exp, lambda *args, **kwargs: jnp.exp(args[0])])
def test_a_signature_without_shapes_needs_example_arguments(function):
    with pytest.raises(SourceError, match=r"args=\(x, y\)"):
        dummyio.describe(function)


def test_an_unknown_keyword_suggests_similar_names():
    with pytest.raises(OptionError, match="'batch_size'"):
        dummyio.describe(exp, args=(zeros(2, 3),), batch_sise=3)
    with pytest.raises(OptionError, match="task"):
        dummyio.describe(exp, "text-generation", args=(zeros(2, 3),))


def test_value_rules_follow_names():
    spec = dummyio.describe(
        lambda x, position_ids, step: x + position_ids + step,
        kwargs={"x": zeros(2, 5), "position_ids": zeros(2, 5, dtype="int32"), "step": 3},
    )
    assert spec["position_ids"].values == Positions()
    assert (spec["step"].shape, spec["step"].dtype, spec["step"].values) == ((), DType.INT32, Uniform(0, 2))


# Exported functions.


def test_an_exported_function_declares_its_own_inputs(tmp_path):
    batch, length = export.symbolic_shape("batch, length", constraints=["batch <= 6"])
    exported = export.export(jax.jit(lambda x, *, scale: {"y": x[:, ::2] * scale["z"]}))(
        jax.ShapeDtypeStruct((batch, length), jnp.float32), scale={"z": zeros(dtype="float16")}
    )
    spec = dummyio.describe(exported)
    assert shapes(spec) == {"arg0": ("batch", "length"), "scale.z": ()}
    assert spec.dims["batch"].max == 6
    path = tmp_path / "model.stablehlo"
    path.write_bytes(exported.serialize())
    read = dummyio.describe(path)
    assert shapes(read) == shapes(spec)
    assert [output.name for output in read.outputs] == ["y"]
    feeds = spec.feeds(batch=3, length=5)
    for target in (exported, path):
        runner = dummyio.open_runner(target)
        assert [port.name for port in runner.inputs] == ["arg0", "scale.z"]
        assert runner.inputs[0].shape == ("batch", "length")
        np.testing.assert_array_equal(runner(feeds)["y"], feeds["arg0"][:, ::2] * feeds["scale.z"])


def test_a_spec_names_the_positional_inputs_of_an_exported_function():
    exported = export.export(jax.jit(lambda x, y: x - y))(zeros(2), zeros(2))
    spec = dummyio.InputSpec({"left": TensorSpec("left", (2,)), "right": TensorSpec("right", (2,))})
    runner = dummyio.open_runner(exported, spec)
    assert [port.name for port in runner.inputs] == ["left", "right"]
    feeds = spec.feeds()
    np.testing.assert_array_equal(runner(feeds)["output"], feeds["left"] - feeds["right"])


# Detection of JAX functions.


def test_a_plain_function_is_recognized_by_the_names_in_its_code():
    def helper(x):
        return jnp.exp(x)

    def calls_it(x):
        return helper(x)

    array = jnp.ones(2)
    for function in (helper, calls_it, partial(calls_it), jax.jit(helper), lambda x: x @ array):
        assert detect_framework(function) == "jax"
    for function in (lambda x: np.exp(x) + 1, len, np.exp, lambda **inputs: inputs):
        assert detect_framework(function) is None


def test_lengths_vary_below_what_they_count():
    def pool(features, lengths):
        kept = jnp.arange(features.shape[1])[None] < lengths[:, None]
        return (features * kept[..., None]).sum(1) / lengths[:, None]

    shapes = jax.ShapeDtypeStruct((3, 7, 5), "float32"), jax.ShapeDtypeStruct((3,), "int32")
    spec = dummyio.describe(pool, args=shapes, dynamic={"features": ("b", "t", None), "lengths": ("b",)})
    assert spec["lengths"].values == Lengths("t")
    assert spec.provenance["input lengths"] == "lengths of the rows of features, up to t"


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x[:, :32], "output_dim_1"),
        (lambda x: x[:, ::2], "(sequence_length + 1) // 2"),
        (lambda x: jnp.repeat(jnp.pad(x, ((0, 0), (0, 1), (0, 0))), 2, axis=1), "sequence_length * 2 + 2"),
    ],
    ids=["cut", "every second", "padded and repeated"],
)
def test_an_output_size_that_a_spec_cannot_write_is_a_dim_of_its_own(function, expected):
    spec = dummyio.describe(jax.jit(function), args=(zeros(2, 6, 8),), prove="off")
    assert tuple(map(str, spec.outputs[0].shape)) == ("batch_size", expected, "x_size_2")
