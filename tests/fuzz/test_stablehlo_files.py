"""Damaged files of exported JAX functions."""

from functools import partial

import numpy as np
import pytest

jax = pytest.importorskip("jax")

import jax.numpy as jnp
from damaged_bytes import damage_bytes
from jax import export

import dummyio


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    batch, length = export.symbolic_shape("b, n")
    table = jnp.arange(44.0).reshape(11, 4)
    exports = [
        (lambda x: jnp.tanh(x @ jnp.ones((4, 3))), [jax.ShapeDtypeStruct((batch, 4), np.float32)]),
        (
            lambda ids, mask: {"sum": (table[ids] * mask[..., None]).sum(1)},
            [jax.ShapeDtypeStruct((batch, length), np.int32)] * 2,
        ),
        (lambda x: (jnp.linalg.qr(x)[0], [x.sum()]), [jax.ShapeDtypeStruct((3, 3), np.float32)]),
    ]
    blobs = [bytes(export.export(jax.jit(function))(*inputs).serialize()) for function, inputs in exports]
    for number, blob in enumerate(blobs):
        path = folder / f"{number}.stablehlo"
        path.write_bytes(blob)
        dummyio.describe(path)
        dummyio.open_runner(path)
    return blobs


@pytest.mark.slow
def test_damaged_stablehlo_files(attack, files, tmp_path):
    random = attack.random("stablehlo")

    def inputs():
        for number in range(attack.count(400)):
            path = tmp_path / f"{number}.stablehlo"
            path.write_bytes(damage_bytes(random, files))
            yield f"describe {number}", partial(dummyio.describe, path)
            yield f"open {number}", partial(dummyio.open_runner, path)
            path.unlink()

    assert attack.run(inputs())["SourceError"], "no file was damaged"
