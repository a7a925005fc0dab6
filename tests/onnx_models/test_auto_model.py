"""A folder that `dummyio.export` wrote, as a model of Transformers: class, outputs, members, pipelines; and without Transformers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("onnxruntime")

import dummyio
from dummyio.onnx import AutoModelForONNX

pytestmark = pytest.mark.filterwarnings("ignore")
IDS = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 12]])
MASK = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])


@pytest.fixture(scope="module")
def loaded(bert):
    return AutoModelForONNX.from_pretrained(bert[1])


def test_the_class_is_what_the_backend_offers(loaded):
    assert AutoModelForONNX is dummyio.load_backend("ort").auto_model()
    assert isinstance(loaded, AutoModelForONNX)
    assert type(loaded).__name__ == "BertForSequenceClassification"


def test_outputs_are_those_of_transformers(bert, loaded):
    expected = bert[0](input_ids=IDS, attention_mask=MASK)
    found = loaded(input_ids=IDS, attention_mask=MASK)
    assert type(found) is type(expected)
    assert list(found) == list(expected) == ["logits"]
    torch.testing.assert_close(found.logits, expected.logits, rtol=1e-4, atol=1e-5)
    assert found.loss is None
    assert found[0] is found.logits
    assert isinstance(loaded(input_ids=IDS, return_dict=False), tuple)


def test_what_pipelines_read(bert, loaded):
    model = bert[0]
    assert loaded.config.to_dict()["id2label"] == model.config.to_dict()["id2label"]
    assert (loaded.device, loaded.dtype) == (torch.device("cpu"), torch.float32)
    assert loaded.main_input_name == model.main_input_name
    assert not loaded.can_generate()
    assert loaded.task == "text-classification"
    assert "input_ids" in repr(loaded)


def test_a_pipeline_has_the_same_results(bert, loaded):
    words = {
        "[PAD]": 0,
        "[UNK]": 1,
        **{word: at + 5 for at, word in enumerate(["the", "cat", "sat", "on", "a", "mat"])},
    }
    tokenizers = pytest.importorskip("tokenizers")
    split = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    split.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=split, pad_token="[PAD]", unk_token="[UNK]")
    texts = ["the cat sat", "a mat"]
    found, expected = (
        transformers.pipeline("text-classification", model=model, tokenizer=tokenizer)(texts, batch_size=2)
        for model in (loaded, bert[0])
    )
    assert [each["label"] for each in found] == [each["label"] for each in expected]
    np.testing.assert_allclose([e["score"] for e in found], [e["score"] for e in expected], rtol=1e-4)


def test_without_a_configuration_the_spec_decides(bert, tmp_path):
    for name in ("model.onnx", "dummyio.json"):
        (tmp_path / name).write_bytes((bert[1] / name).read_bytes())
    model = AutoModelForONNX.from_pretrained(tmp_path)
    assert model.task == "text-classification"
    assert type(model(input_ids=IDS)).__name__ == "SequenceClassifierOutput"
    (tmp_path / "dummyio.json").unlink()
    alone = AutoModelForONNX.from_pretrained(tmp_path)
    assert alone.task is None
    torch.testing.assert_close(alone(input_ids=IDS).logits, model(input_ids=IDS).logits)


def test_code_of_a_folder_does_not_run(bert, tmp_path):
    """A configuration of a type that Transformers does not have is read as data, unless the folder is trusted."""
    (tmp_path / "model.onnx").write_bytes((bert[1] / "model.onnx").read_bytes())
    (tmp_path / "config.json").write_text(
        '{"model_type": "mine", "auto_map": {"AutoConfig": "code.Mine"}, "answer": {"n": 42}, "type_vocab_size": 2}'
    )
    (tmp_path / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    model = AutoModelForONNX.from_pretrained(tmp_path)
    assert model.config.answer.n == 42
    assert model(input_ids=IDS).logits.shape == (2, 2)
    assert not (tmp_path / "ran").exists()


_WITHOUT = """
import sys
for name in ("torch", "transformers"):
    sys.modules[name] = None
import numpy as np
from dummyio_onnx.models.auto_model import AutoModelForONNX
one, two = (AutoModelForONNX.from_pretrained(path) for path in sys.argv[1:3])
found = one(input_ids=np.array([[5, 6, 7]]))
assert type(found).__name__ == "NamedOutputs", type(found)
assert found.logits.shape == found[0].shape == (1, 2) and found.loss is None
assert one.config.model_type == "bert" and one.device == "cpu"
print(two.generate(np.array([[5, 6, 7], [8, 9, 10]]), max_new_tokens=8).tolist())
try:
    two.generate(np.array([[5, 6, 7]]), num_beams=3)
except ValueError as error:
    assert "num_beams=3: without transformers and torch, generation is greedy" in str(error), error
else:
    raise SystemExit("beams were not refused")
"""


@pytest.mark.slow
def test_numpy_and_onnxruntime_are_enough(bert, gpt2):
    command = [sys.executable, "-c", _WITHOUT, str(bert[1]), str(gpt2[1])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    ids = torch.tensor([[5, 6, 7], [8, 9, 10]])
    expected = gpt2[0].generate(ids, max_new_tokens=8, do_sample=False, pad_token_id=0)
    assert done.stdout.strip().splitlines()[-1].startswith("[[5, 6, 7, ")
    written = np.array(json.loads(done.stdout.strip().splitlines()[-1]))
    same = expected.numpy().copy()
    same[same == 0] = written[same == 0] if written.shape == same.shape else -1  # padding: the end token here
    np.testing.assert_array_equal(written, same)
