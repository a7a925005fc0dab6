"""A graph network in the style of PyTorch Geometric: nodes, edges with weights, and the graph of each node."""

import pytest

torch = pytest.importorskip("torch")

from program_checks import assert_sound_export, build, describe_program, list_defects, write_shapes
from torch import nn

from dummyio.values import Indices


class SageConv(nn.Module):
    def __init__(self, in_channels, out_channels, defect=None):
        super().__init__()
        self.lin_l = nn.Linear(in_channels, out_channels)
        self.lin_r = nn.Linear(in_channels, out_channels, bias=False)
        self.defect = defect

    def forward(self, x, edge_index, edge_weight=None):
        row, col = edge_index[1], edge_index[0]
        if self.defect == "edges reversed":
            row, col = col, row
        message = x[col]
        if edge_weight is not None and self.defect != "weights ignored":
            message = message * edge_weight.view(-1, 1)
        out = x.new_zeros(x.size(0), x.size(1)).scatter_add_(0, row.unsqueeze(-1).expand_as(message), message)
        degree = x.new_zeros(x.size(0)).scatter_add_(0, row, torch.ones_like(row, dtype=x.dtype))
        return self.lin_l(out / degree.clamp(min=1).unsqueeze(-1)) + self.lin_r(x)


class GraphClassifier(nn.Module):
    def __init__(self, defect=None):
        super().__init__()
        self.conv1 = SageConv(7, 12, defect)
        self.conv2 = SageConv(12, 12, defect)
        self.lin = nn.Linear(12, 3)
        self.defect = defect

    def forward(self, x, edge_index, edge_weight=None, batch=None):
        x = self.conv1(x, edge_index, edge_weight).relu()
        x = self.conv2(x, edge_index, edge_weight).relu()
        if batch is None or self.defect == "one graph":
            batch = torch.zeros(x.size(0), dtype=torch.long, device=x.device)
        size = int(batch.max()) + 1
        count = x.new_zeros(size).index_add(0, batch, x.new_ones(x.size(0))).clamp(min=1)
        pooled = x.new_zeros(size, x.size(1)).index_add(0, batch, x) / count[:, None]
        return self.lin(pooled)


class GraphAttention(nn.Module):
    """Scores of nodes; the softmax runs over the neighbours of each."""

    def __init__(self, defect=None):
        super().__init__()
        self.lin = nn.Linear(7, 8)
        self.edge = nn.Linear(4, 8)
        self.att = nn.Parameter(torch.randn(8))
        self.out = nn.Linear(8, 5)
        self.defect = defect

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor, edge_attr: torch.Tensor) -> torch.Tensor:
        src, dst = edge_index
        if self.defect == "first edges":
            edge_attr = edge_attr[:1].expand_as(edge_attr)
        h = self.lin(x)
        alpha = torch.tanh(h[src] + h[dst] + self.edge(edge_attr)) @ self.att
        if self.defect != "no softmax":
            top = torch.full((h.shape[0],), -1e9).scatter_reduce(0, dst, alpha, "amax")
            alpha = (alpha - top[dst]).exp()
            total = torch.zeros(h.shape[0]).scatter_add(0, dst, alpha)
            alpha = alpha / (total[dst] + 1e-16)
        sent = h[dst] if self.defect == "itself" else h[src]
        return self.out(torch.zeros_like(h).index_add(0, dst, alpha[:, None] * sent))


@pytest.fixture(scope="module")
def classifier():
    model = build(GraphClassifier)
    return model, describe_program(model)


def test_graphs_of_a_batch_are_described(classifier):
    _, spec = classifier
    assert write_shapes(spec) == {
        "x": "float32[num_nodes, 7]",
        "edge_index": "int64[2, num_edges]",
        "edge_weight": "float32[num_edges]",
        "batch": "int64[num_nodes]",
    }
    leaves = dict(spec.leaves)
    assert leaves["edge_index"].values == Indices("num_nodes")
    assert leaves["batch"].values == Indices(2, order="ascending")
    assert spec.dims["num_nodes"].min == 1


def test_a_graph_without_edges(classifier):
    model, spec = classifier
    assert spec.dims["num_edges"].min == 0
    inputs = spec.generate("pt", num_edges=0, num_nodes=4)
    assert inputs["edge_index"].shape == (2, 0)
    assert model(**inputs).shape == (2, 3)


@pytest.mark.parametrize("defect", ["edges reversed", "weights ignored"])
def test_a_defect_of_edges_is_found_by_values(classifier, defect):
    model, spec = classifier
    assert list_defects(spec, model, build(GraphClassifier, defect)) == {("values", "output")}


def test_a_model_that_takes_all_nodes_for_one_graph_is_found(classifier):
    model, spec = classifier
    assert ("shape", "output") in list_defects(spec, model, build(GraphClassifier, "one graph"))


@pytest.mark.slow
def test_the_sound_export_of_a_classifier_is_accepted(classifier, tmp_path):
    assert_sound_export(*classifier, tmp_path / "model.onnx")


@pytest.fixture(scope="module")
def attention():
    model = build(GraphAttention)
    return model, describe_program(model)


@pytest.mark.parametrize("defect", ["first edges", "no softmax", "itself"])
def test_a_defect_of_attention_over_neighbours_is_found(attention, defect):
    model, spec = attention
    assert list_defects(spec, model, build(GraphAttention, defect)) == {("values", "output")}


@pytest.mark.slow
def test_the_sound_export_of_attention_is_accepted(attention, tmp_path):
    assert_sound_export(*attention, tmp_path / "model.onnx")


def test_a_network_of_pytorch_geometric():
    geometric = pytest.importorskip("torch_geometric.nn")

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = geometric.SAGEConv(6, 8)
            self.head = nn.Linear(8, 2)

        def forward(self, x, edge_index, batch):
            return self.head(geometric.global_mean_pool(self.conv(x, edge_index).relu(), batch))

    spec = describe_program(build(Net))
    assert write_shapes(spec) == {
        "x": "float32[num_nodes, 6]",
        "edge_index": "int64[2, num_edges]",
        "batch": "int64[num_nodes]",
    }
