"""The recipes of docs/how/give-inputs-to-other-tools.md run as they are written."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from transformers_cases import build_model

import dummyio

PAGE = Path(__file__).parents[2] / "docs" / "how" / "give-inputs-to-other-tools.md"
EXPORT, FUNCTIONS, TABLE, EXPORTERS, KERAS = re.findall(
    r"```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
)
NAMES = {"input_ids", "attention_mask", "token_type_ids"}


@pytest.fixture
def model(tmp_path, monkeypatch):
    made = build_model("BertForMaskedLM")
    made.config.save_pretrained(tmp_path)
    monkeypatch.chdir(tmp_path)  # where the recipes read config.json
    return made


@pytest.mark.slow
def test_torch_export_takes_the_inputs(model):
    place = {"dummyio": dummyio, "torch": torch, "model": model}
    exec(EXPORT, place)
    feeds = place["spec"].generate("pt", batch_size=3, sequence_length=7)
    torch.testing.assert_close(place["program"].module()(**feeds).logits, model(**feeds).logits)


def test_functions_return_inputs_of_the_model(model):
    place = {"dummyio": dummyio}
    exec(FUNCTIONS, place)
    given = place["load_inputs"](batch_size=5)
    assert given.keys() == NAMES
    assert {tuple(value.shape) for value in given.values()} == {(5, 16)}
    assert model(**place["dummy_inputs_func"](SimpleNamespace(load_model=lambda: model))).logits.shape[:2] == (2, 16)


def test_a_table_has_numbers(model):
    place = {"dummyio": dummyio}
    exec(TABLE, place)
    assert place["get_input_spec"](batch_size=1) == dict.fromkeys(NAMES, ((1, 16), "int64"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of an experimental part of Transformers
def test_the_exporters_of_transformers_take_the_inputs(model):
    pytest.importorskip("transformers.exporters")
    place = {"dummyio": dummyio, "torch": torch, "model": model}
    exec(EXPORTERS, place)
    feeds = place["spec"].generate("pt", batch_size=3, sequence_length=7)
    torch.testing.assert_close(place["exported"](**feeds).logits, model(**feeds).logits)


@pytest.mark.slow
def test_keras_takes_the_signature(tmp_path, monkeypatch):
    pytest.importorskip("tensorflow")
    keras = pytest.importorskip("keras")
    if keras.config.backend() != "tensorflow":
        pytest.skip("Keras runs on another framework here")
    monkeypatch.chdir(tmp_path)
    model = keras.Sequential([keras.Input((16,)), keras.layers.Embedding(50, 8), keras.layers.GRU(4)])
    place = {"dummyio": dummyio, "model": model}
    exec(KERAS, place)
    assert place["report"].ok, [finding.message for finding in place["report"].errors]
