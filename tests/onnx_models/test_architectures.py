"""Architectures of some families, exported and loaded again: outputs and tokens are PyTorch's.

The default run has two of them; ``nox -s onnx_models`` sets ``DUMMYIO_EVERY_MODEL``, has all, and measures many more.
"""

import os

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

from transformers_cases import build_generator, build_model

import dummyio
from dummyio.onnx import AutoModelForONNX

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")]
EVERY = pytest.mark.skipif("DUMMYIO_EVERY_MODEL" not in os.environ, reason="DUMMYIO_EVERY_MODEL is not set")
GREEDY = {"do_sample": False, "max_new_tokens": 6, "min_new_tokens": 6, "pad_token_id": 0}


def export(model, folder):
    dummyio.export(model, folder)
    return AutoModelForONNX.from_pretrained(folder)


@pytest.mark.parametrize(
    "name",
    [
        "ViTForImageClassification",
        *(pytest.param(name, marks=EVERY) for name in ("BertForMaskedLM", "AlbertForMultipleChoice", "Wav2Vec2ForCTC")),
    ],
)
def test_outputs(tmp_path, name):
    model = build_model(name)
    loaded = export(model, tmp_path / "folder")
    for sizes in ({}, {"batch_size": 3}):
        feeds = dummyio.generate(model, "pt", seed=1, **sizes)
        with torch.no_grad():
            expected = model(**feeds)
        found = loaded(**feeds)
        assert list(found) == list(expected)
        np.testing.assert_allclose(found.logits, expected.logits, atol=2e-5 * float(expected.logits.abs().max()))


TEXT = {
    "input_ids": torch.tensor([[5, 6, 7, 8], [0, 0, 9, 10]]),
    "attention_mask": torch.tensor([[1, 1, 1, 1], [0, 0, 1, 1]]),
}
SOUND = {"input_features": torch.randn(2, 16, 60, generator=torch.Generator().manual_seed(0))}
IMAGE = {"pixel_values": torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))}


@pytest.mark.parametrize(
    ("name", "feeds"),
    [
        ("Gemma2ForCausalLM", TEXT),
        pytest.param("T5ForConditionalGeneration", TEXT, marks=EVERY),
        pytest.param("WhisperForConditionalGeneration", SOUND, marks=EVERY),
        pytest.param("VisionEncoderDecoderModel", IMAGE, marks=EVERY),
    ],
)
def test_tokens(tmp_path, name, feeds):
    model, tokens = build_generator(name, feeds, GREEDY)
    loaded = export(model, tmp_path / "folder")
    assert torch.equal(loaded.generate(**feeds, **GREEDY), tokens)
    with torch.no_grad():
        beams = model.generate(**feeds, **GREEDY, num_beams=2)
    assert torch.equal(loaded.generate(**feeds, **GREEDY, num_beams=2), beams)
