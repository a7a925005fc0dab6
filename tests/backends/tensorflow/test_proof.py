"""What runs of Keras models, functions and files show of their descriptions: they are confirmed, corrected or refused."""

import pytest

tf = pytest.importorskip("tensorflow")

import keras
import numpy as np
from tf_models import made

import dummyio
from dummyio import Dim
from dummyio.errors import OptionError, SourceError
from dummyio.values import PaddingMask

layers = keras.layers


def function_of(*signature):
    return lambda body: tf.function(body, input_signature=signature)


@function_of(tf.TensorSpec([None, None], name="x"))
def folded(x):
    """Rows whose length is a multiple of four."""
    return tf.reshape(x, [tf.shape(x)[0], -1, 4])


@function_of(tf.TensorSpec([None], tf.int32, name="codes"))
def looked_up(codes):
    """Rows of a table, chosen by what no walk along the graph follows."""
    return tf.gather(tf.ones([9, 3]), codes * codes + 8)


@pytest.mark.parametrize(("name", "package"), [("functional", "keras"), ("module", "tensorflow")])
def test_what_was_run_is_in_the_proof(name, package):
    model, spec = made(name)
    assert spec == dummyio.describe(model, prove="off")
    assert spec.proof.level == "values"
    assert spec.proof.sizes[0] == spec.sizes()
    assert len(spec.proof.sizes) >= 4
    assert spec.proof.corrections == ()
    assert spec.proof.unproved == ()
    assert package in spec.proof.versions
    assert str(spec.proof).startswith(f"proved: ran with values at {len(spec.proof.sizes)} sizes, tensorflow ")
    assert dummyio.describe(model, prove="shapes").proof.level == "shapes"


@pytest.mark.parametrize("level", ["shapes", "values"])
def test_a_length_that_is_a_multiple_is_declared(level):
    spec = dummyio.describe(folded, prove=level)
    assert spec.dims["sequence_length"] == Dim("sequence_length", 16, min=4, multiple_of=4)
    assert "multiple_of=4" in spec.proof.corrections[0]


@pytest.mark.parametrize("level", ["shapes", "values"])
def test_an_axis_that_takes_one_size_is_static(level):
    @function_of(tf.TensorSpec([None, None], name="x"))
    def fixed(x):
        return tf.matmul(x, tf.ones([12, 2]))

    spec = dummyio.describe(fixed, prove=level)
    assert spec["x"].shape == (Dim("batch_size", 2), Dim.static("sequence_length", 12))
    assert spec.proof.corrections[0].startswith("sizes: x float32")


def test_a_guessed_dtype_is_the_one_that_the_model_takes():
    class Masked(keras.Model):
        def __init__(self):
            super().__init__()
            self.words = layers.Embedding(40, 8)

        def call(self, inputs):
            return self.words(inputs["input_ids"]) * inputs["attention_mask"][..., None]

    model = Masked()
    model({"input_ids": np.zeros((2, 5), "int32"), "attention_mask": np.ones((2, 5), "float32")})
    spec = dummyio.describe(model)
    assert (spec["attention_mask"].dtype, spec["attention_mask"].values) == ("float32", PaddingMask())
    assert spec.proof.corrections[0].startswith("dtypes: attention_mask float32")


def test_ids_stay_below_the_rows_of_a_table_behind_arithmetic():
    spec = dummyio.describe(looked_up)
    assert spec["codes"].values.high == 1
    assert spec.proof.corrections == ("ids of codes stay below 1: larger ones are refused",)


def test_ids_above_an_embedding_are_lowered():
    model = keras.Sequential([keras.Input((None,), dtype="int32", name="ids"), layers.Embedding(30, 4)])
    spec = dummyio.describe(model)
    assert spec["ids"].values.high == 30
    from dummyio_tensorflow.proof.prove_source import prove

    raised = dummyio.InputSpec({"ids": spec["ids"].replace(values=dummyio.values.TokenIds(31))})
    proved = prove(model, raised, "values", {})
    assert proved["ids"].values.high == 30
    assert proved.proof.corrections == ("ids of ids stay below 30: larger ones are refused",)


def test_what_no_correction_mends_is_refused_with_the_models_own_line():
    class Never(keras.Model):
        def call(self, x):
            tf.debugging.assert_equal(tf.shape(x)[0], -1, "such inputs are not for me")
            return x

    model = Never()
    model.build((None, 3))
    with pytest.raises(
        SourceError, match=r"Never refuses the inputs .*x float32\[2, 3\].*such inputs are not for me.*prove='off'"
    ):
        dummyio.describe(model)


def test_sizes_that_the_caller_gives_are_not_replaced():
    with pytest.raises(
        SourceError,
        match=r"x float32\[2, 6\].*InvalidArgumentError: Input to reshape is a tensor with 12 values.*multiple of 8",
    ):
        dummyio.describe(folded, sequence_length=6)
    assert dummyio.describe(folded, sequence_length=20).dims["sequence_length"].size == 20


def test_a_model_that_counts_its_calls_is_as_it_was():
    class Counting(keras.Model):
        def __init__(self):
            super().__init__()
            self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, x):
            self.calls.assign_add(1.0)
            return x + self.calls

    model = Counting()
    model.build((None, 3))
    assert dummyio.describe(model).proof.level == "values"
    assert float(model.calls) == 0

    class Module(tf.Module):
        def __init__(self):
            super().__init__()
            self.calls = tf.Variable(0.0)

        @tf.function(input_signature=[tf.TensorSpec([None, 3])])
        def __call__(self, x):
            return x + self.calls.assign_add(1.0)

    module = Module()
    spec = dummyio.describe(module)
    assert (spec.proof.level, float(module.calls)) == ("shapes", 0)
    assert "a call changes its state" in spec.proof.unproved[0]
    with pytest.raises(OptionError, match="prove='values': a call changes its state"):
        dummyio.describe(module, prove="values")


def test_a_function_that_calls_have_traced_is_not_traced_again():
    function = tf.function(lambda x: x * 2.0, reduce_retracing=True)
    for rows in (2, 3, 4):
        function(tf.zeros([rows, 3]))
    before = function.experimental_get_tracing_count()
    assert dummyio.describe(function).proof.level == "values"
    assert function.experimental_get_tracing_count() == before


@pytest.mark.parametrize("suffix", ["", ".pb"])
def test_the_shapes_of_files_are_inferred_and_their_values_run_on_request(tmp_path, suffix):
    path = dummyio.export(folded, tmp_path / f"folded{suffix}", spec=dummyio.describe(folded)).path
    spec = dummyio.describe(path)
    assert (spec.proof.level, spec.proof.unproved) == ("shapes", ("values, which prove='values' runs",))
    assert (
        next(
            dim for name, dim in spec.dims.items() if "batch" not in name and dim.max is None and name in str(spec["x"])
        ).multiple_of
        == 4
    )
    assert dummyio.describe(path, prove="values").proof.level == "values"


def test_a_tflite_file_runs_in_a_process_of_its_own(tmp_path):
    pytest.importorskip("ai_edge_litert")
    model = keras.Sequential([keras.Input((8, 3), name="x"), layers.Dense(2)])
    path = dummyio.export(model, tmp_path / "model.tflite").path
    spec = dummyio.describe(path)
    assert spec.proof.level == "values"
    assert list(spec.proof.versions) == ["ai-edge-litert"]
    assert dummyio.describe(path, prove="off") == spec
    with pytest.raises(OptionError, match="prove='shapes': its runtime has no evaluation of shapes alone"):
        dummyio.describe(path, prove="shapes")


def test_inputs_without_an_effect_are_named():
    rows, numbers = tf.TensorSpec([None, 5], name="rows"), tf.TensorSpec([None], tf.int32, name="numbers")
    proof = dummyio.describe(tf.function(lambda rows, numbers: {"y": rows * 2}, input_signature=[rows, numbers])).proof
    assert proof.level == "values"
    assert proof.ineffective == {"numbers": "no result changes with it"}
