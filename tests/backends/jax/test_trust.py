"""Exported functions that call code outside of their module."""

import dataclasses

import numpy as np
import pytest

jax = pytest.importorskip("jax")

import jax.numpy as jnp
from jax import export
from jax.extend import mlir

import dummyio
from dummyio.errors import SourceError, TrustError

X = jax.ShapeDtypeStruct((3,), np.float32)


def replace_module(path, text):
    """Write an exported function of one vector with another module."""
    exported = export.export(jax.jit(lambda x: x * 2))(X)
    module = mlir.serialize_portable_artifact(text, "1.9.0")
    path.write_bytes(dataclasses.replace(exported, mlir_module_serialized=bytes(module)).serialize())
    return path


def test_callbacks_of_python_need_trust(tmp_path):
    marker = tmp_path / "marker"

    def write(x):
        marker.touch()
        return np.asarray(x)

    text = jax.jit(lambda x: jax.pure_callback(write, X, x)).lower(X).as_text()
    path = replace_module(tmp_path / "model.stablehlo", text)
    assert dict(dummyio.describe(path).leaves)["arg0"].shape == (3,)
    with pytest.raises(TrustError, match=r"a call of 'xla_ffi_python_cpu_callback'.*trust=True"):
        dummyio.open_runner(path)
    with pytest.raises(TrustError):
        dummyio.validate(path, reference=path)
    assert dummyio.open_runner(path, trust=True).inputs
    assert not marker.exists()


def test_calls_by_any_spelling_are_found(tmp_path):
    text = """module @m { func.func public @main(%x: tensor<3xf32>) -> tensor<3xf32> {
      %y = "stablehlo.custom_call"(%x) {call_target_name = "some target", note = "custom_call @Sharding"} : (tensor<3xf32>) -> tensor<3xf32>
      return %y : tensor<3xf32> } }"""
    with pytest.raises(TrustError, match="a call of 'some target'"):
        dummyio.open_runner(replace_module(tmp_path / "model.stablehlo", text))


FUNCTIONS = {
    "linear algebra": lambda x: jnp.linalg.svd(x[None] * x[:, None])[1],
    "Fourier": jnp.fft.fft,
    "sorting": lambda x: jax.lax.top_k(x, 2)[0],
    "random": lambda x: x + jax.random.normal(jax.random.PRNGKey(0), (3,)),
    "loops": lambda x: jax.lax.fori_loop(0, 3, lambda _, y: y * 2, x),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_sound_functions_need_no_trust(name, tmp_path):
    path = tmp_path / "model.stablehlo"
    path.write_bytes(export.export(jax.jit(FUNCTIONS[name]))(X).serialize())
    assert dummyio.open_runner(path)({"arg0": np.ones(3, np.float32)})


def test_a_damaged_module_does_not_end_the_process(tmp_path):
    """The reader of modules does not check all numbers in them."""
    blob = bytearray(export.export(jax.jit(lambda x: jnp.tanh(x @ jnp.ones((3, 3)))))(X).serialize())
    start = blob.index(b"ML\xefR")
    refused = 0
    for place in range(start + 20, start + 120, 5):
        damaged = bytearray(blob)
        damaged[place] ^= 0x55
        (tmp_path / "model.stablehlo").write_bytes(damaged)
        try:
            dummyio.describe(tmp_path / "model.stablehlo")
        except SourceError:
            refused += 1
    assert refused
