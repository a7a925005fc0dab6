"""PyTorch Geometric: its basic models, on one graph."""

from collections.abc import Callable

import torch
import torch_geometric.nn as geometric
from score import Case

TITLE = "PyTorch Geometric"
PACKAGES = ("torch_geometric", "torch")
NOTE = "Models that need torch-cluster or torch-sparse (SchNet, DimeNet, Node2Vec, RENet) are left out: they are compiled on installation."
_NODES, _EDGES = "float[*, *]", "int[*, *]"
_GRAPH = {"x": _NODES, "edge_index": _EDGES}
_BATCH = {"batch": "int[*]"}


def _pna() -> torch.nn.Module:
    scalers = ["identity", "amplification", "attenuation"]
    return geometric.PNA(8, 16, 2, 4, aggregators=["mean", "max"], scalers=scalers, deg=torch.tensor([0, 3, 2, 1]))


_MODELS: dict[str, tuple[Callable[[], torch.nn.Module], dict[str, str]]] = {
    "MLP": (lambda: geometric.MLP([8, 16, 4]), {"x": _NODES}),
    "GCN": (lambda: geometric.GCN(8, 16, 2, 4), _GRAPH | {"edge_weight": "float[*]"}),
    "GraphSAGE": (lambda: geometric.GraphSAGE(8, 16, 2, 4), _GRAPH),
    "GIN": (lambda: geometric.GIN(8, 16, 2, 4), _GRAPH),
    "GAT": (lambda: geometric.GAT(8, 16, 2, 4, heads=2), _GRAPH),
    "GAT with edges": (lambda: geometric.GAT(8, 16, 2, 4, edge_dim=3), _GRAPH | {"edge_attr": "float[*, *]"}),
    "PNA": (_pna, _GRAPH),
    "EdgeCNN": (lambda: geometric.EdgeCNN(8, 16, 2, 4), _GRAPH),
    "GCN with jumps": (lambda: geometric.GCN(8, 16, 2, 4, jk="cat"), _GRAPH | {"edge_weight": "float[*]"}),
    "GIN with norms of graphs": (lambda: geometric.GIN(8, 16, 2, 4, norm="graph_norm"), _GRAPH | _BATCH),
    "JumpingKnowledge": (lambda: geometric.JumpingKnowledge("lstm", 8, 2), {"xs": "list of float[*, *]"}),
    "InnerProductDecoder": (geometric.InnerProductDecoder, {"z": _NODES, "edge_index": _EDGES}),
    "GAE": (lambda: geometric.GAE(geometric.GCN(8, 16, 2, 4)), _GRAPH | {"edge_weight": "float[*]"}),
    "SignedGCN": (
        lambda: geometric.SignedGCN(8, 16, 2),
        {"x": _NODES, "pos_edge_index": _EDGES, "neg_edge_index": _EDGES},
    ),
    "GraphUNet": (lambda: geometric.GraphUNet(8, 16, 4, 2), _GRAPH | _BATCH | {"edge_weight": "float[*]"}),
    "DeepGraphInfomax": (
        lambda: geometric.DeepGraphInfomax(
            16, geometric.GCN(8, 16, 1), lambda z, *_: z.mean(dim=0).sigmoid(), lambda x, edges: (x.flip(0), edges)
        ),
        _GRAPH,
    ),
    "DeepGCNLayer": (
        lambda: geometric.DeepGCNLayer(geometric.GCNConv(8, 8), torch.nn.LayerNorm(8), torch.nn.ReLU()),
        _GRAPH,
    ),
    "LabelPropagation": (
        lambda: geometric.LabelPropagation(2, 0.5),
        {"y": "int[*]", "edge_index": _EDGES, "mask": "bool[*]", "edge_weight": "float[*]"},
    ),
    "AttentiveFP": (lambda: geometric.AttentiveFP(8, 16, 4, 3, 2, 2), _GRAPH | {"edge_attr": "float[*, *]"} | _BATCH),
    "RECT_L": (lambda: geometric.RECT_L(8, 16), _GRAPH | {"edge_weight": "float[*]"}),
    "LINKX": (lambda: geometric.LINKX(12, 8, 16, 4, 2), _GRAPH | {"edge_weight": "float[*]"}),
    "LightGCN": (
        lambda: geometric.LightGCN(12, 8, 2),
        {"edge_index": _EDGES, "edge_label_index": _EDGES, "edge_weight": "float[*]"},
    ),
    "MaskLabel": (lambda: geometric.MaskLabel(4, 8), {"x": _NODES, "y": "int[*]", "mask": "bool[*]"}),
    "PMLP": (lambda: geometric.PMLP(8, 16, 4, 2), _GRAPH),
    "NeuralFingerprint": (lambda: geometric.NeuralFingerprint(8, 16, 4, 2), _GRAPH | _BATCH),
    "SGFormer": (lambda: geometric.SGFormer(8, 16, 4), _GRAPH | _BATCH),
    "Polynormer": (lambda: geometric.Polynormer(8, 16, 4), _GRAPH | _BATCH),
    "GCNConv": (lambda: geometric.GCNConv(8, 4), _GRAPH | {"edge_weight": "float[*]"}),
    "TransformerConv": (lambda: geometric.TransformerConv(8, 4, edge_dim=3), _GRAPH | {"edge_attr": "float[*, *]"}),
    "GPSConv": (lambda: geometric.GPSConv(8, geometric.GCNConv(8, 8), heads=2), _GRAPH | _BATCH),
}


def list_names() -> list[str]:
    """Return all models."""
    return list(_MODELS)


def build(name: str) -> Case:
    """Return a model with random weights."""
    torch.manual_seed(0)
    make, inputs = _MODELS[name]
    return Case(make().eval(), inputs)
