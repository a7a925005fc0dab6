"""A Conformer: fewer frames by convolutions, lengths that follow, attention and convolutions within them."""

import pytest

torch = pytest.importorskip("torch")

from program_checks import assert_sound_export, build, describe_program, list_defects, write_shapes
from torch import nn

from dummyio.values import Lengths


class Subsampling(nn.Module):
    def __init__(self, idim, odim):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(1, odim, 3, 2), nn.ReLU(), nn.Conv2d(odim, odim, 3, 2), nn.ReLU())
        self.out = nn.Linear(odim * (((idim - 1) // 2 - 1) // 2), odim)

    def forward(self, x, lengths):
        x = self.conv(x.unsqueeze(1))
        b, c, t, f = x.size()
        x = self.out(x.transpose(1, 2).contiguous().view(b, t, c * f))
        return x, ((lengths - 1) // 2 - 1) // 2


class ConformerBlock(nn.Module):
    def __init__(self, dim=16, heads=2, kernel=5, defect=None):
        super().__init__()
        self.ff = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 32), nn.SiLU(), nn.Linear(32, dim))
        self.norm = nn.LayerNorm(dim)
        self.att = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.point1 = nn.Conv1d(dim, 2 * dim, 1)
        self.depth = nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=dim)
        self.bn = nn.BatchNorm1d(dim)
        self.point2 = nn.Conv1d(dim, dim, 1)
        self.defect = defect

    def forward(self, x, pad):
        x = x + 0.5 * self.ff(x)
        y = self.norm(x)
        own = torch.zeros_like(pad) if self.defect == "attention unmasked" else pad
        x = x + self.att(y, y, y, key_padding_mask=own, need_weights=False)[0]
        y = nn.functional.glu(self.point1(x.transpose(1, 2)), dim=1)
        if self.defect != "convolution unmasked":
            y = y.masked_fill(pad.unsqueeze(1), 0.0)
        y = self.point2(nn.functional.silu(self.bn(self.depth(y))))
        return x + y.transpose(1, 2)


class Conformer(nn.Module):
    def __init__(self, defect=None):
        super().__init__()
        self.embed = Subsampling(20, 16)
        self.blocks = nn.ModuleList(ConformerBlock(defect=defect) for _ in range(1))
        self.ctc = nn.Linear(16, 11)
        self.defect = defect

    def forward(self, xs: torch.Tensor, xs_lens: torch.Tensor):
        """Scores of frames.

        Args:
            xs: features (batch, frames, 20)
            xs_lens: lengths (batch,)
        """
        xs, lens = self.embed(xs, xs_lens)
        if self.defect == "lengths of the input":
            lens = xs_lens
        pad = torch.arange(xs.size(1), device=xs.device)[None] >= lens[:, None]
        for block in self.blocks:
            xs = block(xs, pad)
        return self.ctc(xs).log_softmax(-1), lens


@pytest.fixture(scope="module")
def conformer():
    model = build(Conformer)
    return model, describe_program(model)


def test_rows_are_as_long_as_the_convolutions_need(conformer):
    _, spec = conformer
    assert write_shapes(spec) == {"xs": "float32[batch_size, sequence_length, 20]", "xs_lens": "int64[batch_size]"}
    assert dict(spec.leaves)["xs_lens"].values == Lengths("sequence_length", least=7)
    assert spec.dims["sequence_length"].min == 7


@pytest.mark.parametrize(
    ("defect", "found"),
    [
        ("attention unmasked", {("values", "output_0")}),
        ("convolution unmasked", {("values", "output_0")}),
        ("lengths of the input", {("values", "output_0"), ("values", "output_1")}),
    ],
)
def test_a_defect_is_found_in_the_outputs_that_it_reaches(conformer, defect, found):
    model, spec = conformer
    assert list_defects(spec, model, build(Conformer, defect)) == found


@pytest.mark.slow
def test_the_sound_export_is_accepted(conformer, tmp_path):
    assert_sound_export(*conformer, tmp_path / "model.onnx")
