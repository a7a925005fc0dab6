"""Inputs of graph networks: edges have an axis of their own, and join nodes that are there."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn

import dummyio
from dummyio.spec.values import Indices


class Neighbours(nn.Module):
    """The sum over neighbours, by weighted edges."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 4)

    def forward(self, x, edge_index, batch, edge_weight=None):
        source, target = edge_index
        sent = self.layer(x)[source]
        if edge_weight is not None:
            sent = sent * edge_weight[:, None]
        summed = sent.new_zeros(len(x), 4).index_add(0, target, sent)
        return summed.new_zeros(2, 4).index_add(0, batch, summed)


def test_edges_and_nodes_are_two_axes():
    spec = dummyio.describe(Neighbours())
    shapes = {path: f"{leaf.dtype}[{', '.join(map(str, leaf.shape))}]" for path, leaf in spec.leaves}
    assert shapes == {
        "x": "float32[num_nodes, 6]",
        "edge_index": "int64[2, num_edges]",
        "batch": "int64[num_nodes]",
        "edge_weight": "float32[num_edges]",
    }


def test_edges_join_nodes_of_the_graph():
    spec = dummyio.describe(Neighbours())
    assert dict(spec.leaves)["edge_index"].values == Indices("num_nodes")
    made = spec.feeds(num_nodes=40, num_edges=200)["edge_index"]
    assert 20 < made.max() < 40


def test_the_graphs_of_nodes_are_in_order():
    rule = dict(dummyio.describe(Neighbours()).leaves)["batch"].values
    assert rule == Indices(2, order="ascending")
