"""How the axes of a module's inputs are called: by the terms of the field, decided by what consumes them."""

import re

import pytest

torch = pytest.importorskip("torch")

from torch import nn
from torch.nn import functional

import dummyio

IMAGES = ("batch_size", "num_channels", "height", "width")


class Applied(nn.Module):
    """Layers, and a function of them and of the input."""

    def __init__(self, function, **layers):
        super().__init__()
        self.function, self.layers = function, nn.ModuleDict(layers)

    def forward(self, x):
        return self.function(self.layers, x)


class Detector(nn.Module):
    """Images of a list, one after the other; how many boxes are kept depends on values."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, images: list[torch.Tensor]):
        found = [self.layer(image[None])[0] for image in images]
        return [each[each > 0].sum() for each in found]


class Compared(nn.Module):
    """Two images of one size, which are put one after the other in the batch."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, image1, image2):
        one, other = self.layer(torch.cat([image1, image2])).chunk(2)
        return one - other


class Audio(nn.Module):
    """Waves without an axis for channels."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv1d(1, 8, 10, 5)

    def forward(self, waveform):
        return self.layer(waveform.unsqueeze(1)).mean(-1)


def attend_in_windows(layers, x):
    """Attend inside of windows of four, so that the batch is among the rows of a layer."""
    x = layers["enter"](x)
    batch, channels, height, width = x.shape
    x = x.view(batch, channels, height // 4, 4, width // 4, 4).permute(0, 2, 4, 3, 5, 1).reshape(-1, 16, channels)
    return layers["attend"](x, x, x)[0].reshape(batch, -1, channels).mean(1)


def attend_along_axes(layers, x):
    """Put first the height and then the width among the rows of a layer."""
    x = layers["enter"](x)
    batch, channels, height, width = x.shape
    rows = layers["rows"](x.permute(0, 2, 1, 3).reshape(batch * height, channels, width))
    columns = layers["columns"](x.permute(0, 3, 1, 2).reshape(batch * width, channels, height))
    return rows.view(batch, -1).mean(1) + columns.view(batch, -1).mean(1)


def take_every_second(layers, x):
    """Put each second element of height and width into channels."""
    return layers["enter"](torch.cat([x[..., a::2, b::2] for a in (0, 1) for b in (0, 1)], 1)).mean((2, 3))


def keep_one_size(layers, x):
    """Have a position for each place of one size of image."""
    x = layers["enter"](x).flatten(2).transpose(1, 2)
    return layers["attend"](x + torch.ones(16, 8, device=x.device))


def convolve_last_channels(layers, x):
    """Take images with their channels at the end."""
    return layers["enter"](x.permute(0, 3, 1, 2)).mean((2, 3))


ENTER = {"enter": lambda: nn.Conv2d(3, 8, 3, padding=1)}
MODULES = {
    "a convolution": (lambda: Applied(lambda layers, x: layers["enter"](x), enter=nn.Conv2d(3, 4, 3)), IMAGES),
    "a convolution in a stack": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3, 2), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
        ),
        IMAGES,
    ),
    "windows": (
        lambda: Applied(
            attend_in_windows, enter=ENTER["enter"](), attend=nn.MultiheadAttention(8, 2, batch_first=True)
        ),
        IMAGES,
    ),
    "rows and columns": (
        lambda: Applied(attend_along_axes, enter=ENTER["enter"](), rows=nn.Conv1d(8, 8, 3), columns=nn.Conv1d(8, 8, 3)),
        IMAGES,
    ),
    "every second element": (lambda: Applied(take_every_second, enter=nn.Conv2d(12, 8, 3, padding=1)), IMAGES),
    "one size": (lambda: Applied(keep_one_size, enter=nn.Conv2d(3, 8, 8, 8), attend=nn.Linear(8, 8)), IMAGES),
    "channels last": (
        lambda: Applied(convolve_last_channels, enter=ENTER["enter"]()),
        ("batch_size", "height", "width", "num_channels"),
    ),
    "videos": (
        lambda: Applied(lambda layers, x: layers["enter"](x).mean((2, 3, 4)), enter=nn.Conv3d(3, 4, 3, padding=1)),
        ("batch_size", "num_channels", "depth", "height", "width"),
    ),
    "a series": (
        lambda: Applied(lambda layers, x: functional.relu(layers["enter"](x)), enter=nn.Conv1d(6, 4, 3)),
        ("batch_size", "num_channels", "sequence_length"),
    ),
    "waves": (Audio, ("batch_size", "audio_sequence_length")),
    "features": (lambda: nn.Sequential(nn.Linear(10, 4), nn.ReLU()), ("batch_size", 10)),
    "ids": (lambda: nn.Sequential(nn.Embedding(20, 8), nn.Linear(8, 3)), ("batch_size", "sequence_length")),
    "batch first": (lambda: nn.LSTM(6, 5, batch_first=True), ("batch_size", "sequence_length", 6)),
    "sequence first": (lambda: nn.GRU(6, 5), ("sequence_length", "batch_size", 6)),
    "a list of images": (Detector, ("num_channels", "height", "width")),
    "two images": (Compared, IMAGES),
}


def list_names(leaf):
    return tuple(axis if isinstance(axis, int) else str(axis) for axis in leaf.shape)


@pytest.mark.filterwarnings("ignore:.*nested tensors")  # of a module itself
@pytest.mark.parametrize("name", MODULES)
def test_axes_have_the_names_of_the_field(name):
    build, axes = MODULES[name]
    module = build().eval()
    spec = dummyio.describe(module)
    for path, leaf in list(spec.leaves)[: 2 if "images" in name else 1]:
        names = list_names(leaf)
        assert names == axes, path
        texts = [axis for axis in names if isinstance(axis, str)]
        assert len(set(texts)) == len(texts), "a name twice"
        assert not any(re.match(rf"{path.partition('.')[0]}_", text) for text in texts), (
            "a name made of the input's own"
        )
    with torch.no_grad():
        for sizes in ({}, *spec.probes()[:4]):
            module(**spec.generate("pt", **sizes))
