"""What the search reads in a module's own words: shapes, attributes, sizes; and axes that a module takes away."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn

import dummyio


class Stated(nn.Module):
    """States a shape without the name of its only wave."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv1d(1, 4, 3, padding=1)

    def forward(self, wave):
        if wave.ndim != 3 or wave.shape[1] != 1:
            raise ValueError(f"Expected a tensor (batch, channel==1, frames). Found: {tuple(wave.shape)}")
        return self.layer(nn.functional.pad(wave, (0, 3)))


class Attribute(nn.Module):
    """Names an attribute of its own."""

    def __init__(self):
        super().__init__()
        self.audio_channels = 2
        self.layer = nn.Linear(1, 3)

    def forward(self, wave):
        if wave.ndim != 3:
            raise ValueError("Expected a 3D tensor with dimensions (batch, channel, frames).")
        if wave.shape[1] != self.audio_channels:
            raise ValueError("The channels of the input must match `audio_channels` of the model.")
        return self.layer(wave.unsqueeze(-1))


class Squeezed(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.rnn = nn.Linear(8, 6), nn.RNN(6, 6)

    def forward(self, x):
        """Return the states.

        Args:
            x (torch.Tensor): Tensor of dimension (batch, channel, time, feature).
        """
        return self.rnn(self.layer(x).squeeze(1).transpose(0, 1))[0]


class Parenthesized(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv1d(1, 4, 3, padding=1)

    def forward(self, waves):
        """Return features.

        Args:
            waves: the waves (n_batch, 1, (n_time - 1) * hop)
        """
        if waves.shape[1] != 1:
            raise TypeError
        return self.layer(waves)


class Strided(nn.Module):
    """Within the network an axis of time has the size of the batch of a trial."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(1, 4, 10, 5), nn.Conv1d(4, 4, 3, 2), nn.Conv1d(4, 4, 1), nn.Conv1d(4, 2, 1)
        )

    def forward(self, waveforms):
        return self.layers(waveforms.unsqueeze(1))


SHAPES = {
    Stated: "float32[batch_size, 1, sequence_length]",
    Attribute: "float32[batch_size, 2, sequence_length]",
    Squeezed: "float32[batch_size, num_channels, sequence_length, width]",
    Parenthesized: "float32[batch_size, num_channels, audio_sequence_length]",
    Strided: "float32[batch_size, audio_sequence_length]",
}


@pytest.mark.parametrize("kind", SHAPES, ids=lambda kind: kind.__name__)
def test_what_a_module_says_is_used(kind):
    spec = dummyio.describe(kind())
    [(_, leaf)] = spec.leaves
    assert f"{leaf.dtype}[{', '.join(map(str, leaf.shape))}]" == SHAPES[kind]
    assert spec.proof.level == "values"


def test_the_channel_that_a_module_takes_away_is_one():
    assert dummyio.describe(Squeezed(), prove="off").dims["num_channels"].max == 1


class Listed(nn.Module):
    """Its docstring alone tells that images come in a list."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3)

    def forward(self, images, targets=None):
        """Return features.

        Args:
            images (list[Tensor]): images to be processed
            targets (list[Dict[Tensor]]): boxes (optional)
        """
        return [self.layer(image[None]) for image in images]


def test_a_container_that_the_docstring_states():
    spec = dummyio.describe(Listed())
    assert [path for path, _ in spec.leaves] == ["images.0", "images.1"]
    assert [str(axis) for axis in dict(spec.leaves)["images.0"].shape] == ["num_channels", "height", "width"]
