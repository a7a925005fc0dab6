"""The worked examples of docs/how/write-an-onnx-config.md run as a user would run them, and their files in ONNX Runtime."""

import re
import runpy
import warnings
from pathlib import Path

import numpy as np
import pytest

from dummyio.generators.own_classes import unregister_generator

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("onnxscript")
ort = pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs/how/write-an-onnx-config.md"
EXAMPLES = dict(re.findall(r"<!-- example: ([\w ]+) -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL))


def run_example(name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    path = folder / f"example_{name.replace(' ', '_')}.py"
    path.write_text(EXAMPLES[name])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of the exporter are not the subject
        return runpy.run_path(str(path))


def run_file(path, feeds):
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    taken = [each.name for each in session.get_inputs()]
    assert sorted(taken) == sorted(feeds)
    return {each.name: value for each, value in zip(session.get_outputs(), session.run(None, feeds), strict=True)}


def test_the_page_has_three_examples():
    assert list(EXAMPLES) == ["own module", "own cache", "own modality"]


def test_an_own_module(tmp_path, monkeypatch):
    made = run_example("own module", tmp_path, monkeypatch)
    feeds = made["onnx_config"].spec.feeds(seed=5, batch_size=4, query_length=3, document_length=9)
    got = run_file("ranker.onnx", feeds)
    torch = made["torch"]
    want = made["model"](**{name: torch.from_numpy(value) for name, value in feeds.items()})
    assert list(got) == ["score"]
    np.testing.assert_allclose(got["score"], want.detach().numpy(), rtol=1e-5, atol=1e-5)


def test_an_own_cache(tmp_path, monkeypatch):
    made = run_example("own cache", tmp_path, monkeypatch)
    spec = made["onnx_config"].spec
    sizes = {"batch_size": 3, "sequence_length": 2, "past_sequence_length": 5}
    assert spec.shapes(spec.sizes(**sizes))["past_key_values.1.key"] == (3, 4, 8, 5)
    assert spec.shapes(spec.sizes(**sizes))["past_key_values.1.value"] == (3, 4, 5, 8)
    got = run_file("decoder.onnx", spec.feeds(seed=3, **sizes))
    with made["torch"].no_grad():
        logits, present = made["model"](**spec.generate("pt", seed=3, **sizes))
    np.testing.assert_allclose(got["logits"], logits.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(got["present.1.key"], present[1][0].numpy(), rtol=1e-4, atol=1e-5)


def test_an_own_modality(tmp_path, monkeypatch, capsys):
    made = run_example("own modality", tmp_path, monkeypatch)
    try:
        assert "{'lidar_points': {0: 'batch_size', 1: 'num_points'}" in capsys.readouterr().out
        spec = made["dummyio"].describe(made["model"], num_points=7, num_echoes=3)
        got = run_file("lidar.onnx", spec.feeds(seed=2))
        with made["torch"].no_grad():
            want = made["model"](**spec.generate("pt", seed=2))
        np.testing.assert_allclose(next(iter(got.values())), want.numpy(), rtol=1e-4, atol=1e-5)
    finally:
        unregister_generator(made["LidarInputGenerator"])
