"""Text to speech: each phoneme lasts for a number of frames."""

import pytest

torch = pytest.importorskip("torch")

from program_checks import assert_sound_export, build, describe_program, list_defects, require_onnx, write_shapes
from torch import nn
from torch.nn.utils.rnn import pad_sequence

import dummyio
from dummyio.errors import ExportError
from dummyio.values import Lengths, Uniform


class LengthRegulator(nn.Module):
    def forward(self, x, durations):
        rows = [torch.repeat_interleave(r, d, dim=0) for r, d in zip(x, durations, strict=True)]
        return pad_sequence(rows, batch_first=True)


class FastSpeech(nn.Module):
    def __init__(self, defect=None):
        super().__init__()
        self.emb = nn.Embedding(40, 16, padding_idx=0)
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.length_regulator = LengthRegulator()
        self.pitch_embed = nn.Conv1d(1, 16, 3, padding=1)
        self.mel = nn.Linear(16, 8)
        self.defect = defect

    def forward(self, text, text_lengths, durations, pitch):
        pad = torch.arange(text.size(1))[None] >= text_lengths[:, None]
        if self.defect == "lengths":
            pad = torch.zeros_like(pad)
        x = self.encoder(self.emb(text), src_key_padding_mask=pad)
        x = x + self.pitch_embed(pitch.unsqueeze(1)).transpose(1, 2)
        durations = durations.masked_fill(pad, 0)
        if self.defect == "durations":
            durations = torch.ones_like(durations)
        if self.defect == "pitch":
            x = x - self.pitch_embed(pitch.unsqueeze(1)).transpose(1, 2)
        x = self.length_regulator(x, durations)
        return self.mel(x)


class Aligned(nn.Module):
    """The same by a matrix of places, as in VITS: the frames of the longest row."""

    def __init__(self, defect=None):
        super().__init__()
        self.emb = nn.Embedding(40, 16)
        self.speaker = nn.Embedding(5, 16)
        self.mel = nn.Linear(16, 8)
        self.defect = defect

    def forward(self, tokens, durations, speaker_id):
        if self.defect == "speaker":
            speaker_id = speaker_id[:1].expand_as(speaker_id)
        x = self.emb(tokens) + self.speaker(speaker_id)[:, None]
        ends = durations.cumsum(1)
        if self.defect == "durations":
            ends = torch.ones_like(durations).cumsum(1)
        frames = torch.arange(int(ends[:, -1].max()))
        starts = ends - durations
        if self.defect == "places":
            starts = torch.zeros_like(starts)
        path = (frames[None, :, None] >= starts[:, None, :]) & (frames[None, :, None] < ends[:, None, :])
        return self.mel(path.float() @ x)


def test_durations_and_lengths_are_described():
    spec = describe_program(build(FastSpeech))
    assert write_shapes(spec) == {
        "text": "int64[batch_size, sequence_length]",
        "text_lengths": "int64[batch_size]",
        "durations": "int64[batch_size, sequence_length]",
        "pitch": "float32[batch_size, sequence_length]",
    }
    assert dict(spec.leaves)["text_lengths"].values == Lengths("sequence_length")
    assert dict(spec.leaves)["durations"].values == Uniform(0, 5)


@pytest.mark.parametrize(
    ("kind", "defect", "level"),
    [
        (FastSpeech, "lengths", "shape"),
        (FastSpeech, "durations", "shape"),
        (FastSpeech, "pitch", "values"),
        (Aligned, "durations", "shape"),
        (Aligned, "places", "values"),
        (Aligned, "speaker", "values"),
    ],
)
def test_a_defect_is_found(kind, defect, level):
    model = build(kind)
    assert (level, "output") in list_defects(describe_program(model), model, build(kind, defect))


@pytest.mark.slow
def test_rows_of_own_lengths_in_a_list_are_not_exported(tmp_path):
    require_onnx()
    # PyTorch traces no list of as many tensors as a symbolic batch has rows, each of a length that values decide.
    with pytest.raises(ExportError, match=r"a size becomes a constant .* for r, d in zip.* static="):
        dummyio.export(build(FastSpeech), tmp_path / "model.onnx")


@pytest.mark.slow
def test_the_sound_export_is_accepted(tmp_path):
    model = build(Aligned)
    assert_sound_export(model, describe_program(model), tmp_path / "model.onnx")
