"""Tables and recommendations: a table of vectors for each column, users, items and what they have seen."""

import pytest

torch = pytest.importorskip("torch")

from program_checks import assert_sound_export, build, describe_program, list_defects, write_shapes
from torch import nn

from dummyio.values import Columns, Indices, TokenIds


class TabularNet(nn.Module):
    """Categories and numbers of a row, as in fastai."""

    def __init__(self, defect=None):
        super().__init__()
        self.embeds = nn.ModuleList([nn.Embedding(c, d) for c, d in ((4, 2), (17, 6), (9, 4))])
        self.bn_cont = nn.BatchNorm1d(5)
        self.layers = nn.Sequential(nn.Linear(17, 16), nn.ReLU(), nn.BatchNorm1d(16), nn.Linear(16, 2))
        self.defect = defect

    def forward(self, x_cat, x_cont):
        if self.defect == "column 0":
            x_cat = torch.cat([x_cat[:, :1], torch.zeros_like(x_cat[:, 1:])], 1)
        elif self.defect == "short table":
            x_cat = x_cat.clamp(max=8)
        x = [e(x_cat[:, i]) for i, e in enumerate(self.embeds)]
        x = torch.cat(x, 1)
        if self.defect == "numbers ignored":
            x_cont = torch.zeros_like(x_cont)
        x2 = self.bn_cont(x_cont)
        return self.layers(torch.cat([x, x2], 1))


class TwoTower(nn.Module):
    """A user with the items seen before, and an item."""

    def __init__(self, defect=None):
        super().__init__()
        self.users = nn.Embedding(50, 8)
        self.items = nn.Embedding(80, 8, padding_idx=0)
        self.price = nn.Linear(1, 8)
        self.defect = defect

    def forward(self, user_id, item_id, history, price):
        seen = self.items(history)
        kept = (history != 0).unsqueeze(-1).float()
        if self.defect == "padding counted":
            kept = torch.ones_like(kept)
        if self.defect == "last seen":
            seen, kept = seen[:, -1:], kept[:, -1:]
        seen = (seen * kept).sum(1) / kept.sum(1).clamp(min=1.0)
        user = self.users(user_id) + seen
        if self.defect == "users swapped":
            user = user.flip(0)
        item = self.items(item_id) + self.price(price.unsqueeze(1))
        return torch.sigmoid((user * item).sum(-1))


class Bags(nn.Module):
    """Bags of ids, with the place where each begins, as in DLRM."""

    def __init__(self, defect=None):
        super().__init__()
        self.bags = nn.ModuleList(nn.EmbeddingBag(n, 4, mode="sum") for n in (30, 12))
        self.bot = nn.Linear(6, 4)
        self.top = nn.Linear(12, 1)
        self.defect = defect

    def forward(self, dense_x, lS_o, lS_i):
        if self.defect == "next bag":
            lS_o = torch.cat([torch.zeros_like(lS_o[:, :1]), lS_o[:, :-1]], 1)
        elif self.defect == "one table":
            lS_i = torch.stack([lS_i[0].clamp(max=11), lS_i[1]])
        elif self.defect == "first ids":
            lS_i = lS_i[:, :1].expand_as(lS_i)
        found = [bag(lS_i[k], lS_o[k]) for k, bag in enumerate(self.bags)]
        return torch.sigmoid(self.top(torch.cat([self.bot(dense_x), *found], 1)))


def test_each_column_has_bounds_of_its_own():
    spec = describe_program(build(TabularNet))
    assert dict(spec.leaves)["x_cat"].values == Columns((4, 17, 9))
    assert write_shapes(spec) == {"x_cat": "int64[batch_size, 3]", "x_cont": "float32[batch_size, 5]"}


def test_numbers_of_a_row_and_what_a_user_has_seen():
    spec = describe_program(build(TwoTower))
    assert write_shapes(spec) == {
        "user_id": "int64[batch_size]",
        "item_id": "int64[batch_size]",
        "history": "int64[batch_size, sequence_length]",
        "price": "float32[batch_size]",
    }
    assert dict(spec.leaves)["history"].values == TokenIds(80)  # the padding too, which the model looks for


def test_bags_begin_at_places_in_the_ids():
    leaves = dict(describe_program(build(Bags)).leaves)
    assert leaves["lS_o"].values == Indices("sequence_length", order="starts")
    assert leaves["lS_i"].values == Columns((30, 12), axis=-2)


@pytest.mark.parametrize(
    ("kind", "defect"),
    [
        (TabularNet, "column 0"),
        (TabularNet, "short table"),
        (TabularNet, "numbers ignored"),
        (TwoTower, "padding counted"),
        (TwoTower, "last seen"),
        (TwoTower, "users swapped"),
        (Bags, "next bag"),
        (Bags, "one table"),
        (Bags, "first ids"),
    ],
)
def test_a_defect_is_found_by_values(kind, defect):
    model = build(kind)
    assert ("values", "output") in list_defects(describe_program(model), model, build(kind, defect))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [TabularNet, TwoTower])
def test_the_sound_export_is_accepted(kind, tmp_path):
    model = build(kind)
    assert_sound_export(model, describe_program(model), tmp_path / "model.onnx")
