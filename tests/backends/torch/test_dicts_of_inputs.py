"""Items of dicts: those that a module only asks about, those that its errors name, and the axes that they share."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn

import dummyio


class Pooled(nn.Module):
    """Flat rows are another way to call it."""

    def forward(self, features: dict[str, torch.Tensor]):
        x = features["token_embeddings"]
        if "cu_seq_lens_q" in features:
            raise TypeError
        if "attention_mask" in features and features["attention_mask"].shape[-1] == x.shape[1]:
            x = x * features["attention_mask"][..., None]
        return x.mean(1)


class Filtered(nn.Module):
    """It hands on what it knows, and asks for nothing."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(30, 4)

    def inner(self, input_ids=None):
        if input_ids is None:
            raise ValueError("You must specify exactly one of input_ids or inputs_embeds")
        return self.table(input_ids)

    def forward(self, features: dict[str, torch.Tensor]):
        return self.inner(**{key: value for key, value in features.items() if key == "input_ids"})


def shown(module):
    spec = dummyio.describe(module)
    return {path: f"{leaf.dtype}[{', '.join(map(str, leaf.shape))}]" for path, leaf in spec.leaves}


def test_an_item_of_another_way_to_call_a_module_is_absent_and_a_mask_has_the_axis_of_its_tokens():
    assert shown(Pooled()) == {
        "features.token_embeddings": "float32[batch_size, sequence_length, hidden_size]",
        "features.attention_mask": "int64[batch_size, sequence_length]",
    }


def test_an_item_that_an_error_names_is_there():
    assert shown(Filtered()) == {"features.input_ids": "int64[batch_size, sequence_length]"}
