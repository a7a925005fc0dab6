"""Inputs in containers, however a module takes them apart, and optional arguments of which nothing is declared."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn

import dummyio
from dummyio.values import Indices, TokenIds


class Words(nn.Module):
    """Sums the vectors of words."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(30, 8)

    def look(self, input_ids):
        return self.table(input_ids).sum(1)


class Copied(Words):
    def forward(self, features: dict[str, torch.Tensor]):
        return self.look(dict(features)["input_ids"])


class Gotten(Words):
    def forward(self, features):
        return self.look(features.get("input_ids"))


class Popped(Words):
    def forward(self, features: dict[str, torch.Tensor]):
        return self.look(dict(features).pop("input_ids")) + features.pop("shift", torch.zeros(1)).sum()


class HandedOn(Words):
    def forward(self, features):
        return self.look(**features)


class Indexed(Words):
    def forward(self, features):
        return self.look(features["input_ids"])


class Asked(Words):
    def forward(self, features):
        found = self.look(features["input_ids"])
        if "labels" in features:
            raise ValueError("in training only")
        return found * features["attention_mask"].sum(1, keepdim=True) if "attention_mask" in features else found


class Unpacked(Words):
    def forward(self, batch):
        input_ids, attention_mask = batch
        return (self.table(input_ids) * attention_mask.unsqueeze(-1)).sum(1)


class Neighbours(nn.Module):
    """Reads a graph object by its attributes."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 4)

    def forward(self, data):
        source, target = data.edge_index
        return torch.zeros(len(data.x), 4).index_add(0, target, self.layer(data.x)[source])


IDS = "int64[batch_size, sequence_length] TokenIds(high=30)"


@pytest.mark.parametrize("kind", [Copied, Gotten, HandedOn, Indexed], ids=lambda kind: kind.__name__)
def test_dicts_however_they_are_read(kind):
    spec = dummyio.describe(kind())
    assert {path: str(leaf) for path, leaf in spec.leaves} == {"features.input_ids": IDS}
    assert spec.proof.level == "values"
    assert isinstance(spec.generate("pt")["features"], dict)


def test_an_item_with_a_default_may_be_missing():
    assert [path for path, _ in dummyio.describe(Popped()).leaves] == ["features.input_ids"]


def test_items_that_are_asked_for_are_there_but_no_targets():
    spec = dummyio.describe(Asked())
    assert {path for path, _ in spec.leaves} == {"features.input_ids", "features.attention_mask"}
    assert spec.proof.ineffective == {}


def test_an_argument_that_is_taken_apart_has_items_with_names():
    spec = dummyio.describe(Unpacked())
    assert spec["batch"].kind == "record"
    assert dict(spec.leaves)["batch.input_ids"].values == TokenIds(30, mask="batch.attention_mask")
    ids, mask = spec.generate("pt")["batch"]
    assert ids.shape == mask.shape


def test_graphs_that_are_read_by_attributes():
    spec = dummyio.describe(Neighbours())
    leaves = dict(spec.leaves)
    assert str(leaves["data.x"].shape[1]) == "6"
    assert leaves["data.edge_index"].shape[0] == 2
    assert leaves["data.edge_index"].values == Indices(str(leaves["data.x"].shape[0]))
    assert spec.proof.ineffective == {}


class Weighted(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 4)

    def forward(self, x, edge_weight=None, speaker=None, scale=1.0):
        y = self.layer(x)
        y = y if edge_weight is None else y * edge_weight
        return (y if speaker is None else y + speaker) * scale


def test_optional_arguments_of_no_declared_kind_are_described_if_they_are_asked_for():
    assert list(dummyio.describe(Weighted())) == ["x", "edge_weight"]  # edges are data by their name
    spec = dummyio.describe(Weighted(), optional_inputs=True)
    assert list(spec) == ["x", "edge_weight", "speaker"]
    assert spec.proof.ineffective == {}
