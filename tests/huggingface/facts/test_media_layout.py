"""Facts of images and audio that are read from a model's source text."""

import pytest

from dummyio.generators import DummyTextInputGenerator
from dummyio.generators.base.model_facts import MediaFacts, ModelFacts
from dummyio.huggingface.facts.media_layout import read_media_facts
from dummyio.model_config.normalized_config import NormalizedConfig

LENGTH = "_get_feat_extract_output_lengths"


@pytest.mark.parametrize(
    ("text", "fact", "value"),
    [
        ("        b, num_tiles, c, h, w = pixel_values.shape\n", "image_axis", "images"),
        ("        b, num_frames, c, h, w = pixel_values.shape\n", "image_axis", "frames"),
        ("        x = self.vision(pixel_values.flatten(0, 1))\n", "image_axis", "images"),
        ("        b, c, h, w = pixel_values.shape\n", "image_axis", None),
        ("        b, num_images = pixel_values.shape[:2]\n", "image_axis", "images"),
        ("        x = self.proj(pixel_values)\n", "packed_patches_are_images", True),
        ("        self.class_embedding = nn.Parameter(x)\n", "has_class_token", True),
        ("        x = image_features[:, 1:]\n", "drops_class_token", True),
        ("        n = config.mm_tokens_per_image\n", "token_count_attributes", {"mm_tokens_per_image"}),
        (
            "\nclass MyProjector(nn.Module):\n    x = nn.Conv2d(1, 1, stride=2)\n    y = nn.Conv2d(1, 1, stride=3)\n",
            "projector_stride",
            6,
        ),
        ("        merge_factor = 4\n", "audio_merge_factor", 4),
    ],
)
def test_facts(text, fact, value):
    assert getattr(read_media_facts(text), fact) == value


def test_the_class_token_is_the_image_models_where_it_has_a_file_of_its_own():
    text = "self.cls_token = x"
    assert not read_media_facts(text, "class Vision: ...").has_class_token
    assert read_media_facts("", text).has_class_token


def test_without_a_text_nothing_is_known():
    facts = read_media_facts("")
    assert facts.audio_length(NormalizedConfig({}), 100) is None
    assert facts == MediaFacts(audio_length=facts.audio_length)
    alone = DummyTextInputGenerator("text-classification", {"vocab_size": 9})
    assert alone.context.facts == ModelFacts()


@pytest.mark.parametrize(
    ("text", "length"),
    [
        (
            "    def {}(self, n):\n        'Lengths.'\n        n = (n - 1) // 2 + 1\n        return n, (n - 2) // 2 + 1\n",
            25,
        ),
        ("def {}(n, n_window=4):\n    return n // (n_window * 2) * self.config.factor\n", 48),
        ("def {}(n):\n    for _ in range(2):\n        n = n // 2\n    return n\n", 25),
        ("def {}(n):\n    return torch.div(n, 2)\n", None),
        ("def {}(n):\n    return n // self.config.missing\n", None),
    ],
)
def test_lengths_are_computed_from_text_that_is_arithmetic(text, length):
    found = read_media_facts(text.format(LENGTH)).audio_length(NormalizedConfig({"factor": 4}), 100)
    assert found == length
