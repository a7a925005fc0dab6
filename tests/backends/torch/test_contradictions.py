"""Calls and modules that contradict themselves: errors that name the call, the input and the rule."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn

import dummyio
from dummyio.errors import SourceError, SpecError


class Anything(nn.Module):
    def forward(self, x, lengths=None):
        return torch.zeros(1)


def record(*calls):
    model = Anything()
    with dummyio.capture(model) as recorded:
        for call in calls:
            model(*call)
    return recorded.spec()


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        ({"a": torch.rand(2)}, r"call 2 and call 1 were given different inputs; only one of them has x, x\.a"),
        (torch.rand(2, 3), r"input 'x' is float32\[2\] in call 1 and float32\[2, 3\] in call 2"),
        (torch.ones(2, dtype=torch.int64), r"input 'x' is float32\[2\] in call 1 and int64\[2\] in call 2"),
    ],
)
def test_calls_that_contradict_each_other(second, reason):
    with pytest.raises(SourceError, match=reason):
        record((torch.rand(2),), (second,))


def test_lists_of_other_lengths():
    one = torch.rand(2)
    with pytest.raises(SourceError, match=r"call 2 and call 1 .* x\.1"):
        record(([one],), ([one, one],))


def test_lengths_longer_than_the_rows_that_they_count():
    calls = [(torch.rand(2, size, 3), torch.tensor([longest, 3])) for size, longest in ((5, 5), (6, 9))]
    with pytest.raises(SourceError, match=r"call 2: 'lengths' has a length of 9, and the rows of 'x' .* have 6"):
        record(*calls)


def test_lengths_that_always_count_something_else_are_numbers():
    calls = [(torch.rand(2, size, 3), torch.tensor([160 * size, 300])) for size in (5, 6)]
    assert dict(record(*calls).leaves)["lengths"].values == dummyio.values.Uniform(300, 961)


@pytest.mark.parametrize("kind", [dict, list])
def test_containers_that_hold_themselves(kind):
    held = {} if kind is dict else []
    held.update(again=held) if kind is dict else held.append(held)
    with pytest.raises(SourceError, match=r"call 1, input 'x': .* one that holds itself"):
        record((held,))
    with pytest.raises(SpecError, match="containers inside each other: the limit is 32"):
        dummyio.InputSpec({"x": held})


class Tables(nn.Module):
    def __init__(self, *rows):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(count, 3) for count in rows)

    def forward(self, categories):
        return torch.cat([table(categories[:, place]) for place, table in enumerate(self.tables)], 1)


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_columns_with_tables_without_rows():
    with pytest.raises(SpecError, match=r"input 'categories': .* column 1 holds no value"):
        dummyio.describe(Tables(4, 0, 5))


class Neighbours(nn.Module):
    def forward(self, x, edge_index):
        return x.index_add(0, edge_index[1], x[edge_index[0]])


def test_indices_of_an_axis_that_is_fixed_at_0():
    with pytest.raises(SpecError, match=r"input 'edge_index': .* an axis of 0 holds nothing to index"):
        dummyio.describe(Neighbours(), shapes={"x": (0, 3)})
