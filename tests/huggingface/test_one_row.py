"""Classifiers that find each row's last token by the padding id take one row where there is none."""

import pytest

import dummyio
from dummyio.errors import DimError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

TEXT = {"vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 37}


@pytest.mark.parametrize("name", ["LlamaForSequenceClassification", "CTRLForSequenceClassification"])
@pytest.mark.parametrize("pad", [None, 0])
def test_one_row_without_a_padding_id(name, pad):
    cls = getattr(transformers, name)
    values = TEXT if "Llama" in name else {"vocab_size": 99, "n_embd": 32, "n_layer": 1, "n_head": 4, "dff": 16}
    model = cls(cls.config_class(**values, pad_token_id=pad)).eval()
    spec = dummyio.describe(model)
    rows = 1 if pad is None else 2
    assert spec["input_ids"].sizes()[0] == rows
    config = {**model.config.to_dict(), "architectures": [name]}
    assert dict(dummyio.describe(config)) == dict(spec)
    with torch.no_grad():
        assert model(**spec.generate("pt")).logits.shape[0] == rows
    if pad is None:
        with pytest.raises(DimError, match="batch_size=2: this size must be at most 1"):
            dummyio.describe(config, batch_size=2)


def test_other_heads_take_as_many_rows_as_ever():
    config = {"model_type": "llama", **TEXT, "architectures": ["LlamaForCausalLM"]}
    assert dummyio.describe(config)["input_ids"].sizes()[0] == 2
