from functools import partial

import numpy as np
import pytest

jax = pytest.importorskip("jax")
pytest.importorskip("flax")

import jax_models
from flax import linen, nnx

import dummyio
from dummyio.errors import SourceError
from dummyio.spec.values import TokenIds


@pytest.mark.slow
def test_the_embedding_bounds_the_ids_of_every_kind_of_module():
    for case in (jax_models.nnx_block(), jax_models.linen_encoder()):
        spec = dummyio.describe(case.model, **case.options)
        assert spec["input_ids"].values.high == 50
        assert isinstance(spec["input_ids"].values, TokenIds)
        assert [str(size) for size in spec["input_ids"].shape] == ["batch_size", "sequence_length"]


def test_a_module_is_described_and_run_in_evaluation_mode_and_not_changed():
    model = jax_models.NnxNormed(nnx.Rngs(0))
    model.train()
    before = jax.tree.map(np.array, nnx.to_pure_dict(nnx.state(model, nnx.Any(nnx.Param, nnx.BatchStat))))
    spec = dummyio.describe(model, args=(np.zeros((4, 6), np.float32),))
    assert "training" in spec.provenance["mode"]
    feeds = spec.feeds()
    results = dummyio.open_runner(model, spec)(feeds)
    assert model.norm.use_running_average is False
    after = nnx.to_pure_dict(nnx.state(model, nnx.Any(nnx.Param, nnx.BatchStat)))
    jax.tree.map(np.testing.assert_array_equal, before, after)
    model.eval()
    np.testing.assert_allclose(results["output"], nnx.jit(model)(feeds["features"]), rtol=1e-5, atol=1e-6)
    assert "mode" not in dummyio.describe(model, args=(np.zeros((4, 6), np.float32),)).provenance


@pytest.mark.slow
def test_a_module_that_counts_its_random_keys_gives_equal_results_in_each_call(tmp_path):
    model = nnx.RNN(nnx.LSTMCell(4, 6, rngs=nnx.Rngs(0)))
    artifact = dummyio.export(model, tmp_path / "model.stablehlo", args=(np.zeros((2, 5, 4), np.float32),))
    feeds = artifact.spec.feeds(sequence_length=3)
    runner = dummyio.open_runner(model, artifact.spec)
    first, second = runner(feeds)["output"], runner(feeds)["output"]
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(dummyio.open_runner(artifact.path)(feeds)["output"], first, rtol=1e-5, atol=1e-6)


def test_a_method_of_a_module_is_a_function_of_its_own():
    class Two(nnx.Module):
        def __init__(self):
            self.weight = nnx.Param(np.ones((3, 2), np.float32))

        def encode(self, points):
            return points @ self.weight[...]

    spec = dummyio.describe(Two().encode, args=(np.zeros((2, 3), np.float32),))
    assert list(spec) == ["points"]


def test_a_linen_module_needs_its_variables():
    model, x = linen.Dense(3), np.ones((2, 5), np.float32)
    with pytest.raises(SourceError, match=r"model\.bind\(variables\)"):
        dummyio.describe(model, args=(x,))
    variables = jax.jit(model.init)(jax.random.key(0), x)
    specs = [dummyio.describe(given, args=(x,)) for given in (model.bind(variables), partial(model.apply, variables))]
    assert specs[0] == specs[1]
    assert list(specs[0]) == ["inputs"]


def test_a_module_needs_example_arguments():
    with pytest.raises(SourceError, match=r"args=\(x, y\)"):
        dummyio.describe(nnx.Linear(3, 2, rngs=nnx.Rngs(0)))
