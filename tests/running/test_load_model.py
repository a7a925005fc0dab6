"""Models that a command line can name."""

import json

import pytest

from dummyio.errors import SourceError
from dummyio.running.load_model import load_model

CODE = """
def double(x):
    return x * 2

def make():
    return double

def broken():
    raise ValueError("no weights")

class Box:
    inside = double
"""


@pytest.fixture
def code(tmp_path):
    (tmp_path / "models_of_mine.py").write_text(CODE)
    return tmp_path / "models_of_mine.py"


def test_objects_of_a_file_and_of_a_module(code, monkeypatch):
    model, what = load_model(f"{code}:double")
    assert model(2) == 4
    assert "models_of_mine.py:double" in what
    assert load_model(f"{code}:make()")[0](3) == 6
    assert load_model(f"{code}:Box.inside")[0] is not None
    monkeypatch.chdir(code.parent)
    assert load_model("models_of_mine:double")[0](4) == 8


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nowhere", "no such file or folder"),
        ("nowhere.py:model", "cannot be imported"),
        ("no_such_module_at_all:model", "cannot be imported"),
        ("{code}:missing", "has no 'missing'"),
        ("{code}:broken()", "no weights"),
        ("{code}", "give the folder of a Hugging Face model"),
    ],
)
def test_a_wrong_reference_is_an_error(code, reference, message):
    with pytest.raises(SourceError, match=message):
        load_model(reference.format(code=code))


def test_a_configuration_gives_the_same_random_weights_each_time(tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    small = {
        "vocab_size": 50,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
    }
    config = {"model_type": "bert", "architectures": ["BertForMaskedLM"], **small}
    (tmp_path / "config.json").write_text(json.dumps(config))
    state = torch.random.get_rng_state()
    model, what = load_model(str(tmp_path))
    again, _ = load_model(str(tmp_path / "config.json"))
    assert type(model).__name__ == "BertForMaskedLM"
    assert not model.training
    assert "random weights" in what
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    assert torch.equal(torch.random.get_rng_state(), state)
    model.save_pretrained(tmp_path / "saved")
    assert "with the weights of" in load_model(str(tmp_path / "saved"))[1]
    assert type(load_model(str(tmp_path), "text-classification")[0]).__name__ == "BertForSequenceClassification"


def test_a_configuration_that_transformers_refuses(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    (tmp_path / "config.json").write_text('{"model_type": "no-such-type"}')
    with pytest.raises(SourceError, match="Transformers cannot load it"):
        load_model(str(tmp_path))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, when it saves
def test_a_keras_file(tmp_path):
    keras = pytest.importorskip("keras")
    pytest.importorskip("tensorflow")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.save(tmp_path / "model.keras")
    loaded, what = load_model(str(tmp_path / "model.keras"))
    assert isinstance(loaded, keras.Model)
    assert "Keras" in what
    (tmp_path / "bad.keras").write_bytes(b"no model")
    with pytest.raises(SourceError, match="Keras cannot load it"):
        load_model(str(tmp_path / "bad.keras"))
