"""An RNN transducer: an encoder of frames, a predictor of labels, and a score for each pair of both."""

import pytest

torch = pytest.importorskip("torch")

from program_checks import assert_sound_export, build, describe_program, list_defects, require_onnx, write_shapes
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import dummyio
from dummyio.errors import ExportError
from dummyio.values import Lengths


class Transducer(nn.Module):
    def __init__(self, defect=None):
        super().__init__()
        self.encoder = nn.LSTM(13, 16, batch_first=True)
        self.embedding = nn.Embedding(30, 8, padding_idx=0)
        self.predictor = nn.GRU(8, 16, batch_first=True)
        self.joint = nn.Linear(16, 30)
        self.defect = defect

    def forward(self, sources, source_lengths, targets, target_lengths):
        x, _ = self.encoder(sources)
        inside = torch.arange(x.shape[1])[None] < source_lengths[:, None]
        if self.defect != "source lengths":
            x = x * inside[..., None]
        y = nn.functional.pad(targets, (1, 0))
        if self.defect == "last label":
            y = nn.functional.pad(targets[:, :-1], (2, 0))
        y = self.predictor(self.embedding(y))[0]
        own = torch.arange(y.shape[1])[None] <= target_lengths[:, None]
        if self.defect != "target lengths":
            y = y * own[..., None]
        joint = torch.tanh(x.unsqueeze(2) + y.unsqueeze(1))
        return self.joint(joint).log_softmax(-1), source_lengths


class PackedTransducer(Transducer):
    """As in the recipes of a toolkit: rows are packed."""

    def forward(self, sources, source_lengths, targets, target_lengths):
        packed = pack_padded_sequence(sources, source_lengths.cpu(), batch_first=True, enforce_sorted=False)
        x, _ = pad_packed_sequence(self.encoder(packed)[0], batch_first=True)
        y = self.predictor(self.embedding(nn.functional.pad(targets, (1, 0))))[0]
        return self.joint(torch.tanh(x.unsqueeze(2) + y.unsqueeze(1)))


@pytest.fixture(scope="module")
def transducer():
    model = build(Transducer)
    return model, describe_program(model)


def test_both_lengths_count_their_own_input(transducer):
    _, spec = transducer
    leaves = dict(spec.leaves)
    assert leaves["source_lengths"].values == Lengths("sequence_length")
    assert leaves["target_lengths"].values == Lengths("targets_sequence_length")
    assert write_shapes(spec)["targets"] == "int64[batch_size, targets_sequence_length]"


@pytest.mark.parametrize("defect", ["source lengths", "last label", "target lengths"])
def test_a_defect_is_found_by_values(transducer, defect):
    model, spec = transducer
    assert list_defects(spec, model, build(Transducer, defect)) == {("values", "output_0")}


@pytest.mark.slow
def test_the_sound_export_is_accepted(transducer, tmp_path):
    assert_sound_export(*transducer, tmp_path / "model.onnx")


def test_packed_rows_are_described_and_lengths_without_an_effect_are_named():
    spec = dummyio.describe(build(PackedTransducer))
    assert dict(spec.leaves)["source_lengths"].values == Lengths("sequence_length")
    assert spec.proof.ineffective == {"target_lengths": "no result changes with it"}  # it is for a loss


@pytest.mark.slow
def test_packed_rows_are_not_exported(tmp_path):
    require_onnx()
    # PyTorch packs rows by the values of their lengths, which a trace does not have.
    with pytest.raises(
        ExportError, match=r"packed sequences \(pack_padded_sequence\), whose rows are counted by the values"
    ):
        dummyio.export(build(PackedTransducer), tmp_path / "model.onnx")
