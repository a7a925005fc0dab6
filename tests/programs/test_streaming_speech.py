"""Speech that is recognized while it is spoken: chunks with lengths, and a cache that goes from one to the next."""

import pytest

torch = pytest.importorskip("torch")

from program_checks import assert_sound_export, build, describe_program, list_defects, write_shapes
from torch import nn

from dummyio.values import Lengths


class StreamingEncoder(nn.Module):
    def __init__(self, defect=None):
        super().__init__()
        self.proj = nn.Linear(10, 16)
        self.conv = nn.Conv1d(16, 16, 5, groups=16)
        self.lstm = nn.LSTM(16, 12, num_layers=2, batch_first=True)
        self.fc = nn.Linear(12, 9)
        self.defect = defect

    def forward(self, feats, feat_lens, conv_cache, h_cache, c_cache):
        """One chunk.

        feats: (batch, time, 10); conv_cache: (batch, 16, 4); h_cache, c_cache: (2, batch, 12)
        """
        if self.defect == "conv cache":
            conv_cache = torch.zeros_like(conv_cache)
        if self.defect == "state":
            h_cache = torch.zeros_like(h_cache)
        x = self.proj(feats).transpose(1, 2)
        mask = torch.arange(x.size(2), device=x.device)[None, :] < feat_lens[:, None]
        if self.defect != "lengths":
            x = x.masked_fill(~mask.unsqueeze(1), 0.0)
        x = torch.cat([conv_cache, x], dim=2)
        new_conv_cache = x[:, :, -4:]
        x = torch.relu(self.conv(x)).transpose(1, 2)
        x, (h, c) = self.lstm(x, (h_cache, c_cache))
        return self.fc(x).log_softmax(-1), feat_lens, new_conv_cache, h, c


class CachedAttention(nn.Module):
    """A layer of attention over the frames before and of this chunk."""

    def __init__(self, defect=None):
        super().__init__()
        self.q = nn.Linear(16, 16)
        self.kv = nn.Linear(16, 32)
        self.out = nn.Linear(16, 16)
        self.defect = defect

    def forward(self, x, att_cache, offset):
        b, t, _ = x.shape
        q = self.q(x).view(b, t, 2, 8).transpose(1, 2)
        k, v = self.kv(x).view(b, t, 2, 2, 8).unbind(2)
        k, v = k.transpose(1, 2), v.transpose(1, 2)
        past_k, past_v = att_cache.split(8, dim=-1)
        if self.defect == "cache":
            past_k, past_v = torch.zeros_like(past_k), torch.zeros_like(past_v)
        if self.defect == "halves":
            past_k, past_v = past_v, past_k
        k, v = torch.cat([past_k, k], 2), torch.cat([past_v, v], 2)
        if self.defect == "offset":
            offset = torch.zeros_like(offset)
        place = torch.arange(t) + offset[:, None]
        q = q + torch.sin(place.float())[:, None, :, None]
        scores = q @ k.transpose(2, 3) / 8**0.5
        att = scores.softmax(-1) @ v
        return self.out(att.transpose(1, 2).reshape(b, t, 16)), torch.cat([k, v], -1)


@pytest.fixture(scope="module")
def encoder():
    model = build(StreamingEncoder)
    return model, describe_program(model)


def test_lengths_and_caches_are_described(encoder):
    _, spec = encoder
    assert write_shapes(spec) == {
        "feats": "float32[batch_size, sequence_length, 10]",
        "feat_lens": "int64[batch_size]",
        "conv_cache": "float32[batch_size, 16, conv_cache_sequence_length]",
        "h_cache": "float32[2, batch_size, 12]",
        "c_cache": "float32[2, batch_size, 12]",
    }
    assert dict(spec.leaves)["feat_lens"].values == Lengths("sequence_length")


@pytest.mark.parametrize(
    ("defect", "outputs"),
    [("conv cache", "0234"), ("state", "034"), ("lengths", "0234")],  # all but the lengths that come back as they are
)
def test_a_defect_is_found_in_the_outputs_that_it_reaches(encoder, defect, outputs):
    model, spec = encoder
    found = list_defects(spec, model, build(StreamingEncoder, defect))
    assert found == {("values", f"output_{place}") for place in outputs}


@pytest.mark.slow
def test_the_sound_export_of_an_encoder_is_accepted(encoder, tmp_path):
    assert_sound_export(*encoder, tmp_path / "model.onnx")


@pytest.fixture(scope="module")
def attention():
    model = build(CachedAttention)
    return model, describe_program(model)


def test_a_cache_that_is_split_and_joined_is_described(attention):
    _, spec = attention
    assert write_shapes(spec) == {
        "x": "float32[batch_size, sequence_length, 16]",
        "att_cache": "float32[batch_size, 2, past_sequence_length, 16]",
        "offset": "int64[batch_size]",
    }


@pytest.mark.parametrize("defect", ["cache", "halves", "offset"])
def test_a_defect_of_cached_attention_is_found_by_values(attention, defect):
    model, spec = attention
    assert ("values", "output_0") in list_defects(spec, model, build(CachedAttention, defect))


@pytest.mark.slow
def test_the_sound_export_of_cached_attention_is_accepted(attention, tmp_path):
    assert_sound_export(*attention, tmp_path / "model.onnx")
