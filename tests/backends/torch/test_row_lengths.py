"""Lengths of rows in modules: what they count, and whether rows may differ."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn

import dummyio
from dummyio.spec.values import Constant, Lengths
from dummyio_torch.discovery.layout import InputLayout, Leaf
from dummyio_torch.discovery.runs.row_lengths import find_counted_axes


class Pooled(nn.Module):
    """The mean of each row's first frames."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 3)

    def forward(self, features, lengths):
        kept = (torch.arange(features.shape[1])[None] < lengths[:, None]).float()
        return self.layer((features * kept.unsqueeze(-1)).sum(1) / kept.sum(1, keepdim=True))


class Packed(nn.Module):
    """Rows that have to be sorted by their length."""

    def __init__(self):
        super().__init__()
        self.layer = nn.GRU(5, 3, batch_first=True)

    def forward(self, features, lengths):
        return self.layer(nn.utils.rnn.pack_padded_sequence(features, lengths, batch_first=True))[0].data


class Masked(nn.Module):
    """A mask as wide as the longest row."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 1)

    def forward(self, features, lengths):
        mask = torch.arange(int(lengths.max()))[None] < lengths[:, None]
        return self.layer(features)[:, :, 0] + mask.float()


class Halved(nn.Module):
    """Lengths that the module doubles: full rows do not fit."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 3)

    def forward(self, features, lengths):
        assert int(lengths.max()) * 2 <= features.shape[1]
        return self.layer(features)


@pytest.mark.parametrize(("module", "policy"), [(Pooled, "ragged"), (Packed, "full"), (Masked, "ragged")])
def test_lengths_are_those_of_the_rows(module, policy):
    spec = dummyio.describe(module())
    leaves = dict(spec.leaves)
    assert leaves["lengths"].values == Lengths("sequence_length", policy=policy)
    with torch.no_grad():
        for sizes in ({}, *spec.probes()):
            module().eval()(**spec.generate("pt", **sizes))


def test_lengths_are_1_where_full_rows_do_not_fit():
    leaves = dict(dummyio.describe(Halved(), prove="off").leaves)
    assert leaves["lengths"].values == Constant(1)


def test_a_policy_that_the_caller_gives():
    leaves = dict(dummyio.describe(Pooled(), mask_policy="full", prove="off").leaves)
    assert leaves["lengths"].values == Lengths("sequence_length", policy="full")


def test_lengths_count_the_input_that_their_name_tells():
    tensor = torch.float32
    layout = InputLayout(
        trees=(
            ("tokens", Leaf("tokens", torch.int64, (0, 1))),
            ("token_lengths", Leaf("token_lengths", torch.int64, (0,))),
            ("mel", Leaf("mel", tensor, (0, 2, 3))),
            ("mel_lengths", Leaf("mel_lengths", torch.int64, (0,))),
            ("lengths", Leaf("lengths", torch.int64, (0,))),
        ),
        sizes={0: 3, 1: 11, 2: 8, 3: 13},
        fixed=frozenset({2}),
        batches=frozenset({0}),
    )
    assert find_counted_axes(layout) == {"token_lengths": 1, "mel_lengths": 3, "lengths": 1}
