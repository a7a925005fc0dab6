"""Sizes that a module names in its patches, and modules of which one run with values would take longer than a search may."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn

import dummyio
from dummyio_torch.description import describe_module
from dummyio_torch.discovery import search
from dummyio_torch.discovery.layout import InputLayout, Leaf
from dummyio_torch.discovery.repairs import suggest_changes
from dummyio_torch.discovery.run_observer import OperandMismatch
from dummyio_torch.discovery.runs.layout_trial import LayoutTrial, depends_on_values


class Places(nn.Module):
    """A place for each patch of a video, by the sizes of the patches."""

    def __init__(self, frames, side):
        super().__init__()
        self.temporal_size, self.spatial_size = frames, (side, side)
        self.table = nn.Parameter(torch.zeros(frames * side * side, 8))

    def forward(self, x):
        return x + self.table


class Video(nn.Module):
    def __init__(self, *, reshapes):
        super().__init__()
        self.conv = nn.Conv3d(3, 8, (3, 7, 7), (2, 4, 4), (1, 3, 3))
        self.places = Places(4, 12)
        self.reshapes = reshapes

    def forward(self, x):
        if x.ndim == 4:
            x = x.unsqueeze(2)
        x = self.conv(x).flatten(2).transpose(1, 2)
        if not self.reshapes:
            return self.places(x)
        return x.transpose(1, 2).reshape((x.shape[0], 8, self.places.temporal_size, *self.places.spatial_size))


@pytest.mark.parametrize("reshapes", [False, True], ids=["added to", "reshaped"])
def test_the_sizes_of_a_video_are_those_of_its_patches_times_the_strides(reshapes):
    spec = dummyio.describe(Video(reshapes=reshapes), prove="off")
    assert [spec.dims[name].size for name in ("depth", "height", "width")] == [8, 48, 48]
    assert spec.dims["depth"].min == spec.dims["depth"].max == 8


class Chooser(nn.Module):
    """Chooses rows by their values, after a convolution of large images."""

    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, padding=1)

    def forward(self, images: list[torch.Tensor]):
        x = torch.stack([nn.functional.interpolate(image[None], (64, 64))[0] for image in images])
        x = self.conv(x).flatten(1)
        return x[x[:, 0] > 0]


@pytest.fixture
def kinds(monkeypatch):
    found = []
    run = LayoutTrial.run

    def note(trial, layout, **options):
        found.append(trial.shadow.kind)
        return run(trial, layout, **options)

    monkeypatch.setattr(LayoutTrial, "run", note)
    return found


def test_a_search_makes_no_run_with_values_that_takes_longer_than_it_may(monkeypatch, kinds):
    monkeypatch.setattr(describe_module, "_MAX_OPERATIONS", 1000)
    spec = dummyio.describe(Chooser(5), prove="off")
    assert "real" not in kinds
    assert spec.provenance["inputs"] == "confirmed by shape-only runs, as far as the module needs no values"
    assert [str(axis) for axis in dict(spec.leaves)["images.0"].shape] == ["num_channels", "height", "width"]


def test_what_is_left_to_the_proof_runs_with_values(monkeypatch):
    monkeypatch.setattr(describe_module, "_MAX_OPERATIONS", 1000)
    spec = dummyio.describe(Chooser(6))
    assert str(spec.proof).startswith("proved: ran with values")


def test_a_search_makes_cheap_runs_with_values(kinds):
    spec = dummyio.describe(Chooser(7), prove="off")
    assert "real" in kinds
    assert "runs on the CPU" in spec.provenance["inputs"]


def test_a_first_run_that_worked_is_the_result_however_long_it_took(monkeypatch):
    monkeypatch.setattr(search, "_SECONDS", -1.0)
    spec = dummyio.describe(nn.Linear(4, 4), prove="off", shapes={"input": ("batch_size", 4)})
    assert dict(spec.leaves)["input"].rank == 2


def test_elements_that_must_fill_a_shape_show_the_size_that_is_needed():
    trial = LayoutTrial.of(Video(reshapes=True), "meta")
    layout = InputLayout(
        trees=(("x", Leaf("x", torch.float32, (0, 1, 2, 3, 4))),), sizes=dict(enumerate((5, 3, 16, 32, 32)))
    )
    run = trial.run(layout)
    with pytest.raises(OperandMismatch) as mismatch:
        suggest_changes(run.spy, run.error, torch.float32)
    assert (mismatch.value.got, mismatch.value.need) == (5 * 8 * 8 * 8 * 8, 5 * 8 * 4 * 12 * 12)


class Driven(nn.Module):
    """Adds to each frame of a video what another video shows, which it takes in groups of frames."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv3d(4, 8, (1, 2, 2), (1, 2, 2))
        self.look = nn.Conv2d(3, 8, 16)
        self.merge = nn.Conv1d(8, 8, 3, stride=2, padding=1)

    def forward(self, hidden_states, face_pixel_values):
        """Return the features of the patches of each frame.

        Args:
            hidden_states (`torch.Tensor` of shape `(batch_size, channels, num_frames, height, width)`): The video.
            face_pixel_values (`torch.Tensor` of shape `(batch_size, 3, steps, size, size2)`): The other video.
        """
        x = self.patches(hidden_states).flatten(2).transpose(1, 2)
        batch, channels, count, height, width = face_pixel_values.shape
        if (height, width) != (16, 16):
            raise ValueError(f"the resolution is ({height}, {width}), and must be (16, 16)")
        images = face_pixel_values.transpose(1, 2).reshape(-1, channels, height, width)
        seen = torch.cat([self.look(group).flatten(1) for group in images.split(8)])
        shown = self.merge(seen.view(batch, count, -1).transpose(1, 2)).transpose(1, 2)
        return x.unflatten(1, (shown.shape[1], -1)) + shown[:, :, None]


def test_frames_of_one_video_follow_from_those_of_another():
    model = Driven()
    spec = dummyio.describe(model)
    made = spec.generate("pt")
    frames = made["hidden_states"].shape[2]
    assert model(**made).shape[1] == frames
    assert made["face_pixel_values"].shape[3:] == (16, 16)
    assert spec["hidden_states"].shape[2] == frames or spec["hidden_states"].shape[2].fixed
    model(**spec.generate("pt", batch_size=3))


def test_numbers_of_a_text_about_one_input_are_for_it_though_another_has_them():
    layout = InputLayout(
        trees=(
            ("hidden_states", Leaf("hidden_states", torch.float32, (0, 1, 2, 3, 4))),
            ("face_pixel_values", Leaf("face_pixel_values", torch.float32, (0, 5, 6, 7, 8))),
        ),
        sizes=dict(enumerate((5, 4, 16, 32, 32, 3, 8, 64, 96))),
    )
    trial = LayoutTrial.of(Driven(), "meta")
    run = trial.run(layout)
    changed = [change.change(layout) for change in suggest_changes(run.spy, run.error, torch.float32)]
    assert (5, 3, 8, 16, 16) in [new.shape(new.leaves["face_pixel_values"]) for new in changed if new is not None]


class Cast(nn.Module):
    """Enters a context of its input's device, which there is none of for tensors without memory."""

    def __init__(self, dtype):
        super().__init__()
        self.layer, self.dtype = nn.Conv2d(3, 4, 3, padding=1), dtype

    def forward(self, image):
        with torch.autocast(image.device.type, self.dtype, enabled=False):
            return self.layer(image)


@pytest.mark.parametrize("dtype", [None, torch.float32], ids=["any dtype", "a dtype"])
def test_a_context_that_tensors_without_memory_lack_refuses_no_size(dtype):
    layout = InputLayout(
        trees=(("image", Leaf("image", torch.float32, (0, 1, 2, 3))),), sizes=dict(enumerate((5, 3, 8, 8)))
    )
    run = LayoutTrial.of(Cast(dtype), "meta").run(layout)
    assert run.error is not None
    assert depends_on_values(run.error)
    assert LayoutTrial.of(Cast(dtype), "fake").run(layout).error is None
    spec = dummyio.describe(Cast(dtype))
    assert [spec.dims[name].max for name in ("batch_size", "height", "width")] == [None] * 3


def test_volumes_of_any_depth_are_small_by_default():
    spec = dummyio.describe(nn.Conv3d(3, 4, 3), prove="off")
    assert spec.dims["depth"].size == 8
    assert spec.dims["depth"].max is None
