import numpy as np
import pytest

jax = pytest.importorskip("jax")

import jax.numpy as jnp
from jax import export

import dummyio
from dummyio.errors import ExportError, OptionError, RunError, SourceError
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Uniform

pytestmark = pytest.mark.slow

WEIGHT = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32))
BATCH, PAST = Dim("batch_size", 3, max=64), Dim("past_sequence_length", 4, min=0)


def spec_of(*tensors):
    return InputSpec({tensor.name: tensor for tensor in tensors})


def project(z, a):
    return {"second": z["x"] @ WEIGHT, "first": (a * 2, z["x"].sum(1))}


PROJECT = InputSpec({"z": {"x": TensorSpec("x", (BATCH, 4))}, "a": TensorSpec("a", (BATCH, PAST), "int32")})
SIZES = ({"batch_size": 2, "past_sequence_length": 5}, {"batch_size": 1, "past_sequence_length": 1}, {"batch_size": 7})


def same(artifact, model, sizes=SIZES, tolerance=1e-5):
    reference, runner = dummyio.open_runner(model, artifact.spec), dummyio.open_runner(artifact.path, artifact.spec)
    assert {port.name for port in runner.inputs} == {path for path, _ in artifact.spec.leaves}
    for each in sizes:
        feeds = artifact.spec.feeds(**each)
        expected, results = reference(feeds), runner(feeds)
        assert list(results) == list(expected)
        for name, values in expected.items():
            assert results[name].dtype == values.dtype
            np.testing.assert_allclose(results[name], values, rtol=tolerance, atol=tolerance)


# StableHLO.


def test_a_file_has_the_names_and_symbols_of_the_spec(tmp_path):
    artifact = dummyio.export(project, tmp_path / "model.stablehlo", spec=PROJECT, platforms=("cpu", "cuda"))
    same(artifact, project)
    plain = export.deserialize(bytearray(artifact.path.read_bytes()))
    assert plain.platforms == ("cpu", "cuda")
    feeds = PROJECT.generate("jax", batch_size=5)
    np.testing.assert_allclose(plain.call(**feeds)["second"], project(**feeds)["second"], rtol=1e-6)
    described = dummyio.describe(artifact.path)
    assert {path: [str(s) for s in leaf.shape] for path, leaf in described.leaves} == {
        "a": ["batch_size", "past_sequence_length"],
        "z.x": ["batch_size", "4"],
    }


def test_the_outputs_have_the_order_of_the_reference(tmp_path):
    runner = dummyio.open_runner(project, PROJECT)
    assert list(runner(PROJECT.feeds())) == ["first.0", "first.1", "second"]
    artifact = dummyio.export(project, tmp_path / "model.stablehlo", spec=PROJECT)
    assert [output.name for output in artifact.spec.outputs] == ["first.0", "first.1", "second"]


def test_a_dim_that_can_be_0_becomes_at_least_1_with_a_note(tmp_path):
    artifact = dummyio.export(project, tmp_path / "model.stablehlo", spec=PROJECT)
    assert artifact.spec.dims["past_sequence_length"].min == 1
    assert any("an empty past_sequence_length" in note for note in artifact.notes)
    empty = PROJECT.with_dims(past_sequence_length=0)
    artifact = dummyio.export(project, tmp_path / "empty.stablehlo", spec=empty, static="past_sequence_length")
    same(artifact, project, ({"batch_size": 2},))


@pytest.mark.parametrize("name", ["int64", "float64"])
def test_wide_inputs_stay_wide(tmp_path, name):
    large = 2**40
    spec = spec_of(TensorSpec("x", (BATCH,), name, Uniform(large, large + 8)))

    def add(x):
        return x + jnp.asarray(1, x.dtype)

    artifact = dummyio.export(add, tmp_path / "model.stablehlo", spec=spec)
    assert any("64 bits" in note for note in artifact.notes)
    feeds = spec.feeds()
    for target in (add, artifact.path):
        (result,) = dummyio.open_runner(target, spec)(feeds).values()
        assert result.dtype == name
        np.testing.assert_array_equal(result, feeds["x"] + 1)


def test_bfloat16_goes_in_and_out(tmp_path):
    spec = spec_of(TensorSpec("x", (BATCH, 4), "bfloat16"))
    same(dummyio.export(jax.jit(jnp.tanh), tmp_path / "model.stablehlo", spec=spec), jnp.tanh, ({"batch_size": 2},))


def test_registered_containers_become_plain_ones_in_a_file(tmp_path):
    flax = pytest.importorskip("flax")

    @flax.struct.dataclass
    class Result:
        logits: jax.Array
        hidden: tuple[jax.Array, ...]

    def model(x):
        return Result(jnp.exp(x), (x, x + 1))

    spec = spec_of(TensorSpec("x", (BATCH, 2)))
    artifact = dummyio.export(model, tmp_path / "model.stablehlo", spec=spec)
    assert set(dummyio.open_runner(model, spec)(spec.feeds())) == {"logits", "hidden.0", "hidden.1"}
    assert set(dummyio.open_runner(artifact.path)(spec.feeds())) == {"logits", "hidden.0", "hidden.1"}


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-64], lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"PK\x03\x04" * 99]
)
def test_a_damaged_file_is_an_error_when_it_is_opened(tmp_path, damage):
    path = tmp_path / "model.stablehlo"
    exported = export.export(jax.jit(jnp.exp))(jax.ShapeDtypeStruct((2,), jnp.float32))
    path.write_bytes(damage(bytes(exported.serialize())))
    for use in (dummyio.open_runner, dummyio.describe):
        with pytest.raises(SourceError, match=r"model\.stablehlo: no exported JAX function"):
            use(path)


def test_a_bare_stablehlo_module_is_not_an_exported_function(tmp_path):
    path = tmp_path / "model.stablehlo"
    path.write_text("module @jit_exp {}")
    with pytest.raises(SourceError, match="bare StableHLO"):
        dummyio.open_runner(path)


def test_a_model_that_cannot_be_traced_is_an_error_with_a_remedy(tmp_path):
    spec = spec_of(TensorSpec("x", (BATCH, Dim("width", 4))))
    with pytest.raises(ExportError, match="static="):
        dummyio.export(lambda x: x @ WEIGHT, tmp_path / "model.stablehlo", spec=spec)
    artifact = dummyio.export(lambda x: x @ WEIGHT, tmp_path / "model.stablehlo", spec=spec, static="width")
    assert artifact.spec.dims["width"].fixed
    with pytest.raises(OptionError, match="'width'"):
        dummyio.export(lambda x: x @ WEIGHT, tmp_path / "other.stablehlo", spec=spec, static="widht")
    assert not (tmp_path / "other.stablehlo").exists()


# Runners.


def test_feeds_are_not_changed_and_results_belong_to_the_caller():
    spec = spec_of(TensorSpec("x", (1 << 14,)))
    feeds = spec.feeds()
    before = feeds["x"].copy()
    runner = dummyio.open_runner(jax.jit(lambda x: x, donate_argnums=0), spec)
    (result,) = runner(feeds).values()
    feeds["x"][:] = 7
    np.testing.assert_array_equal(result, before)


def test_a_function_that_needs_concrete_values_runs_uncompiled():
    spec = spec_of(TensorSpec("x", (3,)))
    (result,) = dummyio.open_runner(lambda x: jnp.exp(x) if float(x.sum()) > -1 else x, spec)(spec.feeds()).values()
    np.testing.assert_allclose(result, np.exp(spec.feeds()["x"]), rtol=1e-6)


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({}, "no feed for x"),
        ({"x": np.zeros(3, np.float32), "y": np.zeros(3)}, "'y' is not an input of this model"),
        ({"x": np.zeros(3, np.float64)}, "float64"),
        ({"x": np.zeros(5, np.float32)}, "failed"),
    ],
)
def test_invalid_feeds_are_an_error(feeds, message):
    spec = spec_of(TensorSpec("x", (3,)))
    with pytest.raises(RunError, match=message):
        dummyio.open_runner(lambda x: x + jnp.ones(3), spec)(feeds)


def test_there_is_one_engine():
    with pytest.raises(OptionError, match="engine"):
        dummyio.open_runner(jax.jit(jnp.exp), engine="reference")


# ONNX.


def test_onnx_has_the_names_order_and_symbols_of_the_spec(tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("jax2onnx")

    def join(z, past):
        return jnp.concatenate([past[0]["key"], z], 1), past[0]["key"] @ WEIGHT

    shape = (BATCH, PAST, 4)
    spec = InputSpec({"z": TensorSpec("z", (BATCH, Dim("length", 5), 4)), "past": [{"key": TensorSpec("key", shape)}]})
    artifact = dummyio.export(join, tmp_path / "model.onnx", spec=spec, opset=18)
    same(artifact, join)
    model = onnx.load(artifact.path)
    assert model.opset_import[0].version == 18
    assert [value.name for value in model.graph.input] == ["z", "past.0.key"]
    dims = [[axis.dim_param or axis.dim_value for axis in v.type.tensor_type.shape.dim] for v in model.graph.output]
    # jax2onnx itself declares the first one to be as long as the past.
    assert dims == [["batch_size", "length + past_sequence_length", 4], ["batch_size", "past_sequence_length", 3]]
    with pytest.raises(OptionError, match="17 to 23"):
        dummyio.export(join, tmp_path / "other.onnx", spec=spec, opset=11)


def test_wide_ids_stay_wide_in_onnx_and_the_process_computes_as_before(tmp_path):
    pytest.importorskip("jax2onnx")
    spec = spec_of(TensorSpec("ids", (BATCH,), "int64", Uniform(0, 4)))
    artifact = dummyio.export(lambda ids: WEIGHT[ids], tmp_path / "model.onnx", spec=spec)
    assert dummyio.open_runner(artifact.path).inputs[0].dtype == "int64"
    assert jnp.asarray(np.zeros(2, np.int64)).dtype == jnp.int32  # jax2onnx itself leaves 64 bits switched on


def test_an_onnx_export_leaves_the_functions_of_jax_as_they_were(tmp_path):
    pytest.importorskip("jax2onnx")
    before = dict(vars(jnp))
    spec = spec_of(TensorSpec("x", (BATCH, 4)))
    for name in ("first.onnx", "second.onnx"):
        artifact = dummyio.export(lambda x: jnp.cumsum(x, axis=1), tmp_path / name, spec=spec)
        same(artifact, lambda x: jnp.cumsum(x, 1), ({"batch_size": 2},))  # jax2onnx itself leaves its own cumsum there
    assert {name: value for name, value in before.items() if getattr(jnp, name) is not value} == {}


def test_onnx_that_is_wrong_at_another_size_is_never_written(tmp_path):
    pytest.importorskip("jax2onnx")
    linen = pytest.importorskip("flax.linen")
    conv = linen.Conv(4, (3, 3), strides=2)
    variables = jax.jit(conv.init)(jax.random.key(0), jnp.ones((1, 8, 8, 3)))

    def strided(x):
        return conv.apply(variables, x).mean((1, 2))

    spec = spec_of(TensorSpec("x", (BATCH, Dim("height", 16), Dim("width", 16), 3)))
    with pytest.raises(ExportError, match=r"wrong at .*static="):
        dummyio.export(strided, tmp_path / "model.onnx", spec=spec)
    assert not any(tmp_path.iterdir())
    same(
        dummyio.export(strided, tmp_path / "model.onnx", spec=spec, static=("height", "width")),
        strided,
        ({"batch_size": 5},),
    )


# TensorFlow.


@pytest.mark.parametrize("name", ["model.tflite", "saved_model"])
def test_the_tensorflow_backend_writes_its_formats(tmp_path, name):
    pytest.importorskip("tensorflow")
    pytest.importorskip("ai_edge_litert")
    artifact = dummyio.export(jax.jit(project), tmp_path / name, spec=PROJECT)
    same(artifact, project)


# One model of each kind on the route that needs no other framework; docs/reference/jax.md lists all models and routes.


@pytest.mark.parametrize("name", ["nested", "scan", "nnx_normed"])
def test_models_of_every_kind_are_described_exported_and_run(tmp_path, name):
    pytest.importorskip("flax")
    from jax_models import CASES

    case = CASES[name]()
    artifact = dummyio.export(case.model, tmp_path / "model.stablehlo", **case.options)
    same(artifact, case.model, case.sizes)


def test_the_order_of_a_sorted_format_is_no_finding(tmp_path):
    like = jax.ShapeDtypeStruct((2, 4), jnp.float32)
    function = jax.jit(lambda x, a: x - a)
    artifact = dummyio.export(function, tmp_path / "net.stablehlo", args=(like, like))
    report = dummyio.validate(artifact.path, function)
    assert report.ok
    assert "order" not in {finding.kind for finding in report.findings}
