"""Inputs that are no plain tensors, and sizes that the code of a module fixes or ties: described, or refused with a remedy."""

from dataclasses import dataclass
from typing import NamedTuple

import pytest

torch = pytest.importorskip("torch")

from torch import nn

import dummyio
from dummyio.errors import SourceError


class Layers(nn.Module):
    """The layers of all modules here."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 4)
        self.table = nn.Embedding(30, 6)


class Pair(NamedTuple):
    ids: torch.Tensor
    mask: torch.Tensor


@dataclass
class Scaled:
    input_ids: torch.Tensor
    scale: torch.Tensor | None = None


class OfRecord(Layers):
    def forward(self, pair: Pair):
        return (self.table(pair.ids) * pair.mask.unsqueeze(-1)).sum(1)


class OfDataclass(Layers):
    def forward(self, batch: Scaled):
        found = self.table(batch.input_ids).sum(1)
        return found if batch.scale is None else found * batch.scale


class OfUnion(Layers):
    def forward(self, batch: torch.Tensor | dict[str, torch.Tensor]):
        if not isinstance(batch, dict):
            raise TypeError("expected a dict")
        return self.linear(batch["x"])


class OfStates(Layers):
    def forward(self, x, states: list[tuple[torch.Tensor, torch.Tensor]]):
        y = self.linear(x)
        for h, c in states:
            y = y + h * c
        return y


class Complex(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 4, dtype=torch.complex64))

    def forward(self, z):
        return (z @ self.weight).abs()


class RealView(Layers):
    def forward(self, spectrum):
        return self.linear(torch.view_as_real(spectrum).flatten(-2))


STATE = "float32[batch_size, 4]"
CONTAINERS = {
    OfRecord: {"pair.ids": "int64[batch_size, sequence_length]", "pair.mask": "bool[batch_size, sequence_length]"},
    OfDataclass: {"batch.input_ids": "int64[batch_size, sequence_length]", "batch.scale": "float32[batch_size, 6]"},
    OfUnion: {"batch.x": "float32[batch_size, 6]"},
    OfStates: {"x": "float32[batch_size, 6]"} | {f"states.{i}.{j}": STATE for i in (0, 1) for j in (0, 1)},
    Complex: {"z": "complex64[batch_size, 6]"},
    RealView: {"spectrum": "complex64[batch_size, 3]"},
}


def write_shapes(spec):
    return {path: f"{leaf.dtype}[{', '.join(map(str, leaf.shape))}]" for path, leaf in spec.leaves}


@pytest.mark.parametrize("kind", CONTAINERS, ids=lambda kind: kind.__name__)
def test_containers_and_complex_numbers(kind):
    module = kind().eval()
    spec = dummyio.describe(module)
    assert write_shapes(spec) == CONTAINERS[kind]
    assert spec.proof.level == "values"
    assert spec.proof.ineffective == {}
    assert torch.isfinite(module(**spec.generate("pt"))).all()


class Patches(Layers):
    def __init__(self):
        super().__init__()
        self.patch = nn.Linear(24, 8)

    def forward(self, x):
        rows, length, width = x.shape
        return self.patch(x.reshape(rows, length // 4, 4 * width))


class Column(Layers):
    def forward(self, ids):
        return self.table(ids.squeeze(-1)).sum(1)


class Unbound(nn.Module):
    def forward(self, boxes):
        x0, y0, x1, y1 = boxes.unbind(-1)
        return (x1 - x0) * (y1 - y0)


class Unpacked(nn.Module):
    def forward(self, x):
        a, b, c = x
        return a + b * c


class Gated(Layers):
    def forward(self, x):
        a, b = x.chunk(2, -1)
        return self.linear(a * torch.sigmoid(b))


class Halves(Layers):
    def forward(self, x):
        a, b = x.split(3, dim=-1)
        return a * b


class Crossed(nn.Module):
    def forward(self, a, b):
        return torch.linalg.cross(a, b, dim=-1)


class Points(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv1d(3, 4, 1)

    def forward(self, points):
        return self.layer(points.transpose(1, 2)).amax(2)


SIZES = {
    Patches: {"x": "float32[batch_size, sequence_length, 6]"},
    Column: {"ids": "int64[batch_size, sequence_length, 1]"},
    Unbound: {"boxes": "float32[batch_size, 4]"},
    Unpacked: {"x": "float32[3, sequence_length]"},
    Gated: {"x": "float32[batch_size, 12]"},
    Halves: {"x": "float32[batch_size, 6]"},
    Crossed: {"a": "float32[batch_size, 3]", "b": "float32[batch_size, 3]"},
    Points: {"points": "float32[batch_size, sequence_length, num_channels]"},
}


@pytest.mark.parametrize("kind", SIZES, ids=lambda kind: kind.__name__)
def test_sizes_that_code_fixes(kind):
    spec = dummyio.describe(kind().eval())
    assert write_shapes(spec) == SIZES[kind]
    assert spec.proof.level == "values"


def test_sizes_that_code_ties():
    assert dummyio.describe(Patches()).dims["sequence_length"].multiple_of == 4
    assert dummyio.describe(Points()).dims["num_channels"].fixed


class Packed(Layers):
    def forward(self, packed):
        padded, _ = nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
        return self.linear(padded)


class Sparse(Layers):
    def forward(self, x, adjacency):
        return torch.sparse.mm(adjacency, self.linear(x))


class Compressed(Layers):
    def forward(self, adjacency, x):
        return self.linear(x) * adjacency.crow_indices().float().sum()


class Nested(Layers):
    def forward(self, rows):
        return self.linear(rows.to_padded_tensor(0.0))


class Strict(Layers):
    def forward(self, pair: Pair):
        assert isinstance(pair, Pair)
        return self.table(pair.ids).sum(1)


class Streams(Layers):
    def forward(self, streams: dict[str, torch.Tensor]):
        return sum(self.linear(each) for each in streams.values())


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Packed, "'packed' seems to be a PackedSequence, .* takes padded rows and their lengths"),
        (Sparse, "'adjacency' seems to be a sparse tensor, .* takes its indices and values"),
        (Compressed, "'adjacency' seems to be a sparse tensor"),
        (Nested, "'rows' seems to be a nested tensor, .* takes a list of tensors"),
        (Strict, "'pair' is annotated as Pair, .* describe a wrapper"),
        (Streams, "the code does not show the items of 'streams', .* dummyio.capture"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_other_kinds_are_refused_with_a_remedy(kind, reason):
    with pytest.raises(SourceError, match=reason):
        dummyio.describe(kind())


@pytest.mark.slow
@pytest.mark.parametrize("kind", [OfRecord, OfStates, Patches], ids=lambda kind: kind.__name__)
def test_containers_and_tied_sizes_are_exported(kind, tmp_path):
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    module = kind().eval()
    artifact = dummyio.export(module, tmp_path / "model.onnx")
    report = dummyio.validate(artifact.path, reference=module)
    assert report.ok, report.findings


@pytest.mark.slow
def test_complex_inputs_are_not_exported(tmp_path):
    # PyTorch writes complex numbers as pairs of real ones, which are not the input that the spec declares.
    pytest.importorskip("onnxscript")
    with pytest.raises(
        dummyio.errors.ExportError, match=r"complex64: ONNX Runtime has no complex numbers. Take and return their parts"
    ):
        dummyio.export(Complex().eval(), tmp_path / "model.onnx")
