"""Modules that hand all their arguments on: the inputs are those of the module inside."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn

import dummyio
from dummyio.sources.wrapped_module import find_inner_module


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, features, scale=None):
        return self.layer(features)


class Adapted(nn.Module):
    """The only module inside gets all arguments."""

    def __init__(self, inner):
        super().__init__()
        self.base = inner

    def forward(self, *args, **kwargs):
        return self.base(*args, **kwargs)


class Coder(nn.Module):
    """Of two modules the encoder gets the arguments."""

    def __init__(self):
        super().__init__()
        self.decoder, self.encoder = nn.Linear(3, 4), Scaled()

    def forward(self, *args, **kwargs):
        return self.decoder(self.encoder(*args, **kwargs))


class Doubled(Adapted):
    """It changes what it hands on, so that it refuses the inputs of the module inside."""

    def forward(self, *args, **kwargs):
        return self.base(torch.cat([*args, *kwargs.values()] * 2, -1))


@pytest.mark.parametrize("make", [lambda: Adapted(Adapted(Scaled())), Coder])
def test_the_inputs_are_those_of_the_module_inside(make):
    module = make()
    assert isinstance(find_inner_module(module), Scaled)
    spec = dummyio.describe(module)
    assert [path for path, _ in spec.leaves] == ["features"]
    assert spec.proof.level == "values"
    module(**spec.generate("pt"))


def test_the_wrapper_itself_is_run():
    spec = dummyio.describe(Doubled(Scaled()))
    assert dict(spec.leaves)["features"].shape[-1] == 2  # not the 4 of the module inside


class Classifier(nn.Module):
    """It names the one input that it looks at, and hands on the rest."""

    def __init__(self, inner):
        super().__init__()
        self.base = inner

    def forward(self, input_ids, **kwargs):
        return self.base(input_ids=input_ids, **kwargs).pooler_output.mean(-1)


def test_what_a_wrapper_of_another_package_hands_on_is_described():
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    bert = transformers.BertModel(transformers.BertConfig(vocab_size=50, max_position_embeddings=40, **sizes))
    spec = dummyio.describe(Classifier(bert))
    assert list(spec) == ["input_ids", "attention_mask", "token_type_ids"]
    assert spec.dims["sequence_length"].max == 40


def test_a_module_that_names_its_arguments_is_not_looked_into():
    module = nn.Sequential(nn.Linear(4, 3))
    assert find_inner_module(module) is module
