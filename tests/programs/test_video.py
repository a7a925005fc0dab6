"""Videos as a list of clips, each with its own number of frames."""

import pytest

torch = pytest.importorskip("torch")

from program_checks import assert_sound_export, build, describe_program, list_defects, write_shapes
from torch import nn


class ClipClassifier(nn.Module):
    def __init__(self, defect=None):
        super().__init__()
        self.stem = nn.Conv3d(3, 8, (3, 4, 4), stride=(1, 4, 4), padding=(1, 0, 0))
        self.norm = nn.GroupNorm(2, 8)
        self.head = nn.Linear(8, 4)
        self.defect = defect

    def forward(self, clips: list[torch.Tensor]) -> torch.Tensor:
        if self.defect == "first clip":
            clips = [clips[0] for _ in clips]
        features = []
        for item in clips:
            clip = item[:, :1].expand_as(item) if self.defect == "first frame" else item
            clip = clip.flip(2) if self.defect == "upside down" else clip
            x = torch.relu(self.norm(self.stem(clip.unsqueeze(0))))
            features.append(x.mean(dim=(2, 3, 4)))
        return self.head(torch.cat(features))


class FramesAndMask(nn.Module):
    """Frames [b, t, c, h, w] through an image network, pooled where they are valid."""

    def __init__(self, defect=None):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(8, 4)
        self.defect = defect

    def forward(self, video, frame_mask):
        b, t = video.shape[:2]
        if self.defect == "first frame":
            video = video[:, :1].expand_as(video)
        if self.defect == "mirrored":
            video = video.flip(-1)
        x = self.backbone(video.flatten(0, 1)).view(b, t, -1)
        m = frame_mask.to(x.dtype).unsqueeze(-1)
        if self.defect == "mask":
            m = torch.ones_like(m)
        return self.head((x * m).sum(1) / m.sum(1).clamp(min=1))


@pytest.fixture(scope="module")
def clips():
    model = build(ClipClassifier)
    return model, describe_program(model)


def test_clips_have_sizes_of_their_own(clips):
    _, spec = clips
    assert write_shapes(spec) == {
        "clips.0": "float32[3, depth, height, width]",
        "clips.1": "float32[3, clips_1_depth, clips_1_height, clips_1_width]",
    }


@pytest.mark.parametrize("defect", ["first clip", "first frame", "upside down"])
def test_a_defect_of_clips_is_found_by_values(clips, defect):
    model, spec = clips
    assert list_defects(spec, model, build(ClipClassifier, defect)) == {("values", "output")}


@pytest.mark.slow
def test_the_sound_export_is_accepted(clips, tmp_path):
    assert_sound_export(*clips, tmp_path / "model.onnx")


@pytest.mark.parametrize("defect", ["mask", "first frame", "mirrored"])
def test_a_defect_of_masked_frames_is_found(defect):
    model = build(FramesAndMask)
    spec = describe_program(model)
    assert write_shapes(spec) == {
        "video": "float32[batch_size, num_frames, num_channels, height, width]",
        "frame_mask": "bool[batch_size, num_frames]",
    }
    assert ("values", "output") in list_defects(spec, model, build(FramesAndMask, defect))
