"""Samplers of point clouds: the farthest points, and groups of neighbours around them, as in PointNet++."""

import pytest

torch = pytest.importorskip("torch")

from program_checks import assert_sound_export, build, describe_program, list_defects, write_shapes
from torch import nn


def farthest_points(xyz, count):
    b, n, _ = xyz.shape
    centroids = torch.zeros(b, count, dtype=torch.long, device=xyz.device)
    distance = torch.full((b, n), 1e10, device=xyz.device)
    farthest = torch.zeros(b, dtype=torch.long, device=xyz.device)
    rows = torch.arange(b, device=xyz.device)
    for i in range(count):
        centroids[:, i] = farthest
        centroid = xyz[rows, farthest, :].view(b, 1, 3)
        distance = torch.minimum(distance, ((xyz - centroid) ** 2).sum(-1))
        farthest = distance.max(-1)[1]
    return centroids


def square_distance(src, dst):
    """The squared distances, as expanded products."""
    dist = -2 * torch.matmul(src, dst.permute(0, 2, 1))
    dist = dist + (src**2).sum(-1)[:, :, None]
    return dist + (dst**2).sum(-1)[:, None, :]


def index_points(points, idx):
    b = points.shape[0]
    rows = torch.arange(b, device=points.device).view(b, *[1] * (idx.dim() - 1)).expand_as(idx)
    return points[rows, idx, :]


class PointNet(nn.Module):
    def __init__(self, defect=None):
        super().__init__()
        self.mlp = nn.Sequential(nn.Conv2d(3 + 5, 16, 1), nn.BatchNorm2d(16), nn.ReLU())
        self.head = nn.Linear(16, 4)
        self.defect = defect

    def forward(self, xyz, features):
        idx = farthest_points(xyz, 6)
        if self.defect == "first points":
            idx = torch.arange(6)[None].expand(xyz.shape[0], -1)
        centers = index_points(xyz, idx)
        near = square_distance(centers, xyz).topk(4, largest=False).indices
        groups = index_points(xyz, near) - centers.unsqueeze(2)
        own = index_points(features, near)
        if self.defect == "features of other points":
            own = index_points(features.flip(1), near)
        if self.defect == "no neighbours":
            groups = torch.zeros_like(groups)
        x = torch.cat([groups, own], -1).permute(0, 3, 1, 2)
        return self.head(self.mlp(x).amax((2, 3)))


@pytest.fixture(scope="module")
def points():
    model = build(PointNet)
    return model, describe_program(model)


def test_features_belong_to_the_points(points):
    _, spec = points
    assert write_shapes(spec) == {
        "xyz": "float32[batch_size, sequence_length, 3]",
        "features": "float32[batch_size, sequence_length, 5]",
    }
    assert spec.dims["sequence_length"].min == 4  # as many neighbours as are looked for


@pytest.mark.parametrize("defect", ["first points", "features of other points", "no neighbours"])
def test_a_defect_is_found_by_values(points, defect):
    model, spec = points
    assert ("values", "output") in list_defects(spec, model, build(PointNet, defect))


@pytest.mark.slow
def test_the_sound_export_is_accepted(points, tmp_path):
    assert_sound_export(*points, tmp_path / "model.onnx")
